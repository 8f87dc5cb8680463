"""The APT repository: put a signed upload in, whole or not at all, and prove what a clean client makes of it. Owns reprepro."""

from debkit.archive.client import instructions, keyring_file, sources_file, sources_text
from debkit.archive.proof import prove
from debkit.archive.publish import publish, require, require_upload

__all__ = [
    "instructions",
    "keyring_file",
    "prove",
    "publish",
    "require",
    "require_upload",
    "sources_file",
    "sources_text",
]
