"""Version of the package: that of the library it is for."""
__version__ = "0.1.0"
