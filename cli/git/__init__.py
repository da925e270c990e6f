"""What crewlog does in the code repository: branches and worktrees, handing in, reviewing, merging, cleaning up.

Imported only where a command needs git: it brings subprocess with it.
"""
