"""The version of saga-sr."""

__version__ = "0.1.0"
