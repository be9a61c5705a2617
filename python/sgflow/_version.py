"""Version of the package: that of the library it is for."""
__version__ = "1.0.0"
