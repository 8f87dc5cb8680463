"""The APT repository: put a signed upload in, whole or not at all, and prove what a clean client makes of it. Owns reprepro.

`front` is what clients are given beside the indices, `serving` how it gets to them. The proof (`debkit.archive.proof`) stands on
chroots, and `debkit.archive.serving.serve` on a web server: both are imported by who needs them, so that publishing does not wait
for that.
"""

from debkit.archive.change import holding, ready, settled, working
from debkit.archive.client import addition, instructions, keyring_file, sources_file, sources_text
from debkit.archive.conf import exported_suites
from debkit.archive.journal import read as history
from debkit.archive.judge import Upload
from debkit.archive.promote import promote
from debkit.archive.publish import publish, publish_all, require, require_upload
from debkit.archive.retention import prune
from debkit.archive.rollback import choose, roll_back, states
from debkit.archive.upload import read_upload

__all__ = [
    "Upload",
    "addition",
    "choose",
    "exported_suites",
    "history",
    "holding",
    "instructions",
    "keyring_file",
    "promote",
    "prune",
    "publish",
    "publish_all",
    "read_upload",
    "ready",
    "require",
    "require_upload",
    "roll_back",
    "settled",
    "sources_file",
    "sources_text",
    "states",
    "working",
]
