"""Open a tree, a .dsc or an archive's package as a finished source package, and read what builds leave behind.

Owns python-debian, dpkg-source and dpkg-genchanges, and, to get at a source, git, gbp export-orig and gpgv.
"""

from debkit.source.control import builds_on
from debkit.source.opened import Draft, describe, open_source
from debkit.source.results import BuildinfoFile, ChangesFile, read_buildinfo, read_changes

__all__ = ["BuildinfoFile", "ChangesFile", "Draft", "builds_on", "describe", "open_source", "read_buildinfo", "read_changes"]
