"""The one place that says which version this is: the build reads it, and the code needs no package metadata."""

__version__ = "0.1.0"
