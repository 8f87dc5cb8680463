"""Make, list, check, change, export, back up and restore the keys that sign uploads and the archive.

docs/archive.md tells the life of a key, from its making to its end.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from debkit.cli import with_passphrase

if TYPE_CHECKING:
    from debkit.cli import Session
    from debkit.keys.listing import Listed
    from debkit.keys.passphrase import Passphrase
    from debkit.keys.rotate import Rotation, Site

# What gpg takes for --quick-generate-key (gpg(1)), but for what is no end at all.
TIME = re.compile(r"\d+[dwmy]?|seconds=\d+|\d{4}-\d\d-\d\d|\d{8}T\d{6}|none|never")
# A name alone has five letters where gpg asks for it; with --quick-generate-key it takes anything.
NAME = re.compile(r"[^<>@]{5,}|[^<>@]+ <[^<>@\s]+@[^<>@\s]+>")


def _time(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    if not TIME.fullmatch(value):
        raise click.BadParameter(f"{value!r} is no time such as 2y, 18m, 90d or 2028-01-31")
    return value


def _name(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value is not None and not NAME.fullmatch(value):
        raise click.BadParameter(f'{value!r} is no name such as "Our archive <archive@example.org>"')
    return value


ALGORITHM = click.option(
    "--algorithm",
    type=click.Choice(["ed25519", "rsa4096"]),
    default="ed25519",
    show_default=True,
    help="rsa4096: for old readers.",
)
EXPIRE = click.option(
    "--expire", "life", default="2y", show_default=True, metavar="TIME", callback=_time, help="As gpg takes it: 2y, 2028-01-31."
)
OUTPUT = click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write to FILE.")


@click.group(name="key")
def command() -> None:
    """Make, list, check, change, export, back up and restore the keys that sign uploads and the archive."""


@command.command()
@click.option("--uid", metavar="TEXT", callback=_name, help="The key's name, \"Name <address>\"; left out: the archive's.")
@ALGORITHM
@EXPIRE
@click.option("--another", is_flag=True, help="Although there is a key already.")
@click.option("--no-passphrase", is_flag=True, help="Leave the key unlocked: whoever reads it can sign.")
@with_passphrase
@click.pass_obj
def init(
    session: Session,
    *,
    uid: str | None,
    algorithm: str,
    life: str,
    another: bool,
    no_passphrase: bool,
    passphrase: Passphrase,
) -> None:
    """Make a key in your own keyring: a primary that only certifies and a subkey that signs."""
    from debkit.keys import make  # noqa: PLC0415
    from debkit.keys.settings import lines  # noqa: PLC0415

    if no_passphrase and (passphrase.file or passphrase.fd is not None):
        raise click.UsageError("--no-passphrase excludes --passphrase-file and --passphrase-fd")
    config, say = session.config, session.console.result
    with session.run.interruptible():
        fingerprint = make.init(
            session.run,
            config.keys,
            make.Wanted(uid=uid or f"{config.archive.name} archive", algorithm=algorithm, life=life, protected=not no_passphrase),
            another=another,
            source=passphrase,
            environ=os.environ,
        )
    say(f"{fingerprint} is made. Name it in [keys] of {_file(session)}:")
    for line in lines({"archive": fingerprint}):
        say(f"  {line}")
    say(f"and in {_site(session).uploaders}:")
    say(f"  allow * by key {fingerprint[-16:]}+")
    session.console.info(f"next: debkit key backup {fingerprint} --output ~/paper.txt, to be printed and put away")


@command.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="For programs: times in seconds since the epoch.")
@click.pass_obj
def list_(session: Session, *, as_json: bool) -> None:
    """List your secret keys: what for, until when they sign, and by which hash they are bound."""
    from debkit.keys.listing import listing  # noqa: PLC0415
    from debkit.paths import state_home  # noqa: PLC0415
    from debkit.report import plain  # noqa: PLC0415

    with session.run.interruptible():
        found = listing(session.run, session.config.keys, environ=os.environ, state=state_home())
    if as_json:
        session.console.result(json.dumps(plain(found), indent=1))
        return
    session.console.table([("FINGERPRINT", "ROLE", "ALGORITHM", "EXPIRES", "SIGNS UNTIL", "HASH", "NAME"), *map(_row, found)])


@command.command()
@click.argument("keyring", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--days", type=click.IntRange(min=0), default=30, show_default=True, help="Fail so long before an end.")
@click.pass_obj
def check(session: Session, *, keyring: Path | None, days: int) -> None:
    """Judge the configured keys and the published keyring, or all keys of KEYRING; exit with 13 for any problem."""
    from debkit.archive import keyring_file  # noqa: PLC0415
    from debkit.keys import check as judging  # noqa: PLC0415

    run, config = session.run, session.config
    for due in () if keyring else judging.overdue(config.keys, now=time.time()):
        session.console.warn(f"{due.what}: {due.remedy}")
    with run.interruptible():
        if keyring:
            keys = judging.check_keyring(run, keyring, days=days)
        else:
            keys = judging.check(run, config.keys, environ=os.environ, published=keyring_file(config), days=days)
    for key in keys:
        session.console.good(f"{key.fingerprint} is good ({key.uid})")


@command.command()
@click.option("--to", metavar="FINGERPRINT", default="", help="A key that you have, instead of a new one.")
@click.option("--subkey", is_flag=True, help="Only the subkey that signs: clients need not trust another key.")
@ALGORITHM
@EXPIRE
@click.option(
    "--overlap", "days", type=click.IntRange(min=0), default=90, show_default=True, metavar="DAYS", help="How long both sign."
)
@click.option("--finish", is_flag=True, help="Retire the old one.")
@click.option(
    "--now", is_flag=True, help="With --finish: before the overlap is over, and unseen whether users were given the new one."
)
@with_passphrase
@click.pass_obj
def rotate(
    session: Session,
    *,
    to: str,
    subkey: bool,
    algorithm: str,
    life: str,
    days: int,
    finish: bool,
    now: bool,
    passphrase: Passphrase,
) -> None:
    """Change the archive's key: a new one signs beside the old one, until --finish retires that."""
    from debkit.archive.handout import demand_handed_out  # noqa: PLC0415
    from debkit.keys import rotate as rotation  # noqa: PLC0415

    if (to and subkey) or (finish and (to or subkey)) or (now and not finish):
        raise click.UsageError("--to, --subkey and --finish exclude each other; --now goes with --finish")
    site = _site(session)
    with session.run.interruptible():
        if finish:
            if not now:
                demand_handed_out(session.run, session.config, rotation.successor(session.run, site, environ=os.environ))
            _tell(session, rotation.finish(session.run, site, source=passphrase, environ=os.environ))
            return
        fresh = rotation.Fresh(to=to.upper(), subkey=subkey, algorithm=algorithm, life=life)
        _tell(session, rotation.begin(session.run, site, fresh, days=days, source=passphrase, environ=os.environ))


@command.command()
@click.argument("fingerprints", nargs=-1)
@click.option("--binary", is_flag=True, help="As apt's .pgp keyrings are; else armoured.")
@click.option("--secret", is_flag=True, help="What signs the archive, and no more, for DEBKIT_ARCHIVE_KEY in CI.")
@OUTPUT
@with_passphrase
@click.pass_obj
def export(
    session: Session,
    *,
    fingerprints: tuple[str, ...],
    binary: bool,
    secret: bool,
    output: Path | None,
    passphrase: Passphrase,
) -> None:
    """Write the public keys that clients are to trust, or those named."""
    from debkit.keys import export as exporting  # noqa: PLC0415

    if secret and (binary or fingerprints):
        raise click.UsageError("--secret is armoured, and is what signs the archive")
    if secret:
        _demand_new(output)
    else:
        _demand_place(output)
    run, keys = session.run, session.config.keys
    with run.interruptible():
        if secret:
            data = exporting.secret(run, keys, source=passphrase, environ=os.environ)
        else:
            data = exporting.public(run, keys, fingerprints, environ=os.environ, armour=not binary)
    _write(session, data, output, secret=secret)


@command.command()
@click.argument("fingerprint", required=False)
@OUTPUT
@with_passphrase
@click.pass_obj
def backup(session: Session, *, fingerprint: str | None, output: Path | None, passphrase: Passphrase) -> None:
    """Write a secret key as text to be printed, the archive's where none is named."""
    from debkit.keys import backup as backups  # noqa: PLC0415

    _demand_new(output)
    with session.run.interruptible():
        text = backups.backup_own(session.run, session.config.keys, fingerprint or "", source=passphrase, environ=os.environ)
    _write(session, text.encode(), output, secret=True)


@command.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
def restore(session: Session, *, file: Path) -> None:
    """Bring a key back from the backup in FILE, typed or scanned; tell which lines of it are damaged."""
    from debkit.keys import backup as backups  # noqa: PLC0415

    with session.run.interruptible():
        session.console.good(f"{backups.restore_own(session.run, file, environ=os.environ)} is restored")


def _file(session: Session) -> Path:
    return session.config_file or session.project / "config/debkit.toml"


def _site(session: Session) -> Site:
    from debkit.keys.rotate import Site  # noqa: PLC0415

    return Site(keys=session.config.keys, file=_file(session), uploaders=session.config.repo / "conf/uploaders")


def _demand_new(output: Path | None) -> None:
    """Refuse to write a secret over a file: that may be another key's only backup."""
    from debkit.errors import ConfigError  # noqa: PLC0415

    _demand_place(output)
    if output and output.is_file():
        raise ConfigError(
            f"{output} is there already", cause="it may be the backup of another key", hint=f"name another file; or: rm {output}"
        )


def _demand_place(output: Path | None) -> None:
    """Refuse a directory, and a file in one that does not exist, before anybody types a passphrase."""
    from debkit.errors import ConfigError  # noqa: PLC0415

    if output and output.is_dir():
        raise ConfigError(f"{output} is a directory", cause="--output names the file itself", hint=f"--output {output}/FILE")
    if output and not output.parent.is_dir():
        raise ConfigError(
            f"{output} cannot be written", cause=f"there is no directory {output.parent}", hint=f"mkdir -p {output.parent}"
        )


def _write(session: Session, data: bytes, output: Path | None, *, secret: bool) -> None:
    from debkit.paths import put  # noqa: PLC0415
    from debkit.source.git import in_git  # noqa: PLC0415

    if output and output.exists() and not output.is_file():
        output.write_bytes(data)  # a device or a pipe, in whose place no file is to be put
    elif output:
        put(output, data, mode=0o600 if secret else 0o644)
        session.console.good(f"{output} is written{', which only you can read' if secret else ''}")
        if secret and in_git(output.parent):
            session.console.warn(f"{output} is in a git repository: a commit, or a source package, could take the key with it")
    else:
        sys.stdout.buffer.write(data)


def _tell(session: Session, done: Rotation) -> None:
    for line in done.told:
        session.console.result(line)


def _row(listed: Listed) -> tuple[str, ...]:
    key, signer = listed.key, listed.key.signer(time.time())

    def day(expires: float | None) -> str:
        return "never" if expires is None else time.strftime("%Y-%m-%d", time.gmtime(expires))

    roles = ", ".join((*listed.roles, *(("development",) if listed.development else ()))) or "-"
    until = "revoked" if key.primary.revoked else day(signer.expires) if signer else "cannot sign"
    return (key.fingerprint, roles, key.primary.algorithm, day(key.primary.expires), until, ", ".join(key.hashes), key.uid)
