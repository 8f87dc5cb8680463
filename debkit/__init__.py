"""Build, judge, sign and publish Debian packages for several architectures."""

__version__ = "0.1.0"
