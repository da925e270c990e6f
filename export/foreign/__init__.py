"""Other tools' files, read: what their records say, as issues that the log can take in."""
