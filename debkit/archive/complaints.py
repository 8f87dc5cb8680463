"""What reprepro's complaints, and those of the hook that signs for it, mean to a user."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from debkit.errors import ArchiveConflict, ArchiveError, ConfigError, DebkitError, LockedError, SigningError
from debkit.keys import by_hand, ring

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.keys import Keys
    from debkit.run import CommandFailed

# What reprepro says among its answers where one that was started by hand holds the database; and gpg, quiet or not, for which
# another one is just starting their agent.
WAITS = re.compile(
    r"^(Could not acquire lock: .*|Waiting \d+ seconds before trying again\.|gpg: (waiting for|removing stale) .*)\n",
    flags=re.MULTILINE,
)
# What gpg says in the hook of a key that is not unlocked.
LOCKED = re.compile(r"Bad passphrase|No passphrase given|can't get input")
# What reprepro prints, and what it means to a user: (pattern, error, what, cause, hint). The first that fits.
COMPLAINTS: tuple[tuple[str, type[DebkitError], str, str, str], ...] = (
    (
        r"lock file '.*' already exists",
        LockedError,
        "another reprepro works on {base}",
        "it holds {base}/db/lockfile",
        "wait for it to end, then run the same command again",
    ),
    (
        r"created with a future version",
        ArchiveError,
        "{base} was last written by a newer reprepro than this machine has",
        "its database cannot be read by this one; there is no way back",
        "use the machine, or the Debian release, that wrote it",
    ),
    (
        r"No rule allowing this package",
        ArchiveError,
        "the key {uploader} may not upload to {base}",
        "{conf}/uploaders does not name it",
        "echo 'allow * by key {id}+' >> {conf}/uploaders",
    ),
    (
        r"No distribution accepting '(.*)' ",
        ArchiveError,
        "{named} may not be uploaded to {base}",
        "it is not signed, its signature is broken, or {conf}/uploaders does not name the key that made it",
        "gpg --verify {named}; then, if you trust that key: echo 'allow * by key ID+' >> {conf}/uploaders",
    ),
    (
        r"put in a distribution not listed within it",
        ConfigError,
        "the archive does not take what the changelog's distribution says",
        "it is neither the suite's codename nor in its AlsoAcceptFor",
        "editor {conf}/distributions",
    ),
    (
        r"has the wrong architecture to add it|database contains unused '",
        ConfigError,
        "the archive's architectures do not fit",
        "{first}",
        "editor {conf}/distributions; or, if you have removed one: reprepro --basedir {base} clearvanished",
    ),
    (
        r"(?m)^ *(.*not listed in UDebComponents.*)$",
        ConfigError,
        "the suite takes no packages for the Debian installer",
        "{named}",
        "editor {conf}/distributions, to add to the suite's stanza: UDebComponents: main",
    ),
    (
        r"Error parsing \S+/distributions, line \d+: (.*)",
        ConfigError,
        "{conf}/distributions is not as reprepro reads it",
        "{named}",
        "editor {conf}/distributions: an empty line parts one suite's stanza from another's",
    ),
    (
        r"--ignore=brokensignatures",
        ArchiveError,
        "the upload was changed after it was signed",
        "{first}",
        "if it is as you want it, sign it again: debsign UPLOAD.changes",
    ),
    (
        r"is already registered with different checksums|cannot be included as",
        ArchiveConflict,
        "the archive has one of these files with other content",
        "{first}",
        "raise the version: dch --increment",
    ),
    (
        r"(?m)^(db_open\(.*|BDB(?!0196).*|Missing reference to .*)$",
        ArchiveError,
        "the database of {base} is damaged",
        "{named}",
        "debkit repo rebuild",
    ),
    (
        r"Signing-hook",
        SigningError,
        "the archive's index could not be signed with {key}",
        "{gpg}",
        "debkit key check; or: {look_at_keys}",
    ),
)


def explain(failed: CommandFailed, base: Path, keys: Keys) -> DebkitError:
    """Turn reprepro's complaint into what a user can act on."""
    printed = WAITS.sub("", "".join(f"{line}\n" for line in failed.done.tail)).strip()
    said = re.search(r"^gpg: (.*)$", printed, flags=re.MULTILINE)
    facts = {
        "base": os.fspath(base),
        "conf": os.fspath(base / "conf"),
        "uploader": keys.upload.fingerprint,
        "id": keys.upload.fingerprint[-16:],
        "key": keys.archive.fingerprint,
        "look_at_keys": by_hand(keys.archive.home, "--list-secret-keys"),
        "first": printed.partition("\n")[0],
        "gpg": said[1] if said else printed.partition("\n")[0],
    }
    if "Signing-hook" in printed and LOCKED.search(printed):
        return ring.explain(keys.archive, printed, tried=bool(keys.passphrase(keys.archive)))
    for pattern, error, what, cause, hint in COMPLAINTS:
        if found := re.search(pattern, printed):
            facts["named"] = found[1] if found.re.groups else ""
            return error(what.format(**facts), cause=cause.format(**facts), hint=hint.format(**facts))
    return ArchiveError("reprepro failed", cause=printed or failed.cause, hint=f"reprepro --basedir {base} check")
