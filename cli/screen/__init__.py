"""`top`: the crew live, full-screen. Textual is imported by nobody else: other commands start as quickly as before."""
