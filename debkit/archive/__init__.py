"""The APT repository: put a signed upload in, whole or not at all, and prove what a clean client makes of it. Owns reprepro.

The proof (`debkit.archive.proof`) stands on chroots, and serving (`debkit.archive.serve`) on a web server: both are imported by
who needs them, so that publishing does not wait for that.
"""

from debkit.archive.client import addition, instructions, keyring_file, sources_file, sources_text
from debkit.archive.conf import exported_suites
from debkit.archive.publish import publish, publish_all, require, require_upload

__all__ = [
    "addition",
    "exported_suites",
    "instructions",
    "keyring_file",
    "publish",
    "publish_all",
    "require",
    "require_upload",
    "sources_file",
    "sources_text",
]
