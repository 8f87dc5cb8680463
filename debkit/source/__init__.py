"""Open a tree, a .dsc or an archive's package as a finished source package, and read what builds leave behind.

Owns python-debian, dpkg-source and dpkg-genchanges, and, to get at a source and its version, git, git-buildpackage and gpgv.
"""

from debkit.source.commits import Change
from debkit.source.control import builds_on
from debkit.source.draft import Draft, Implied, changes_of, imply_changelog
from debkit.source.opened import describe, foresee, open_source
from debkit.source.results import BuildinfoFile, ChangesFile, read_buildinfo, read_changes
from debkit.source.whence import Whence

__all__ = [
    "BuildinfoFile",
    "Change",
    "ChangesFile",
    "Draft",
    "Implied",
    "Whence",
    "builds_on",
    "changes_of",
    "describe",
    "foresee",
    "imply_changelog",
    "open_source",
    "read_buildinfo",
    "read_changes",
]
