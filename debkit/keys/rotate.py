"""Change the key that signs an archive, or only its signing subkey, without a client noticing.

For a time both sign, and the keyring that clients have of the archive holds both, so that who trusts the old one only is given
the new one. That a change is under way stands in [keys] of the configuration, which CI reads too: `archive` is the new key,
`also` the old one, `also-until` the day from which that may go.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from debkit.errors import SigningError
from debkit.keys import export, settings
from debkit.keys.check import DAY, day_of, extend
from debkit.keys.export import read_key
from debkit.keys.find import find_keys, own_home
from debkit.keys.home import reachable
from debkit.keys.make import add_subkey, make_key
from debkit.keys.passphrase import Passphrase
from debkit.keys.ring import Place, demand_there, export_public, look_up, prove
from debkit.keys.secret import certify, passphrase_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from debkit.config import KeysConfig
    from debkit.keys.public import PublicKey
    from debkit.model import SigningKey
    from debkit.run import Run

NOW = "seconds=1"  # gpg takes an end in the future only


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What a rotation reads and writes: the configuration (`file` is where its [keys] stand) and the archive's conf/uploaders."""

    keys: KeysConfig
    file: Path
    uploaders: Path

    @property
    def archive(self) -> str:
        """The key that signs the archive: where it is not named, the one for uploads (`find_keys`)."""
        return self.keys.archive or self.keys.upload

    @property
    def upload_follows(self) -> bool:
        """Whether the archive's key signs uploads too."""
        return self.keys.upload in {"", self.archive}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fresh:
    """What is to sign next: the key `to`, or a new one, or (`subkey`) a new subkey of the present one."""

    to: str = ""
    subkey: bool = False
    algorithm: str = "ed25519"
    life: str = "2y"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """What signs now, `new` first, what is being retired, until when (a day), and the files that were written.

    That is earlier than `wanted` where the old one ends before; what would `extend` it are commands.
    """

    new: str
    old: str
    until: str
    written: tuple[Path, ...]
    wanted: str = ""
    extend: tuple[str, ...] = ()

    @property
    def told(self) -> tuple[str, ...]:
        """Tell what was done, and what is left for people to do."""
        files = " and ".join(os.fspath(path) for path in self.written)
        publish = "debkit repo refresh, debkit repo onboard"
        ci = "in CI, set DEBKIT_ARCHIVE_KEY to what this gives: debkit key export --secret"
        if not self.until:
            return (
                f"{self.old} is retired: {self.new} alone signs the archive ({files})",
                f"next: commit that; publish and hand out the keyring: {publish}",
                f"then {ci}",
            )
        lengthen = f'{"; ".join(self.extend)}; then also-until = "{self.wanted}" in {self.written[0]}'
        shortened = (f"no longer, since {self.old} ends; for both until {self.wanted}: {lengthen}",) if self.extend else ()
        return (
            f"{self.new} and {self.old} sign the archive until {self.until} ({files})",
            *shortened,
            f"next: debkit key backup {self.new} --output FILE, to be printed and put away",
            f"then {ci}",
            f"then commit that, and publish now, for clients get the new key from the next publish on: {publish}",
            f"and from {self.until} on: debkit key rotate --finish",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Successor:
    """What is to sign alone, by its own fingerprint, and a keyring that has no more than that.

    Its `name` is the key's fingerprint or, where only the subkey is changed, that one's.
    """

    fingerprint: str
    name: str
    keyring: bytes


def begin(run: Run, site: Site, fresh: Fresh, *, days: int, source: Passphrase, environ: Mapping[str, str]) -> Rotation:
    """Let a new key sign beside the present one, for so many days at least, and prove that both can with one passphrase.

    The day on which the present one may go comes before the one on which it ends: nothing could be published after that. The
    keys are in the caller's own keyring. Raises SigningError, or ConfigError where the configuration cannot be written: then
    nothing was, and a key that was made is to be given as `to`.
    """
    old = site.archive
    if site.keys.also:
        raise SigningError(
            f"the archive's key is being changed already: {', '.join(site.keys.also)} signs beside {old}",
            cause=f"[keys] also-until in {site.file} says until {site.keys.also_until or 'no day'}",
            hint="debkit key rotate --finish",
        )
    if not old:
        raise SigningError("there is no archive key to change", cause=f"[keys] in {site.file} names none", hint="debkit key init")
    now = time.time()
    wanted = day_of(now + days * DAY)
    settings.prepared(site.file, {"archive": old, "also": (old,), "also-until": wanted})
    with reachable(run, own_home(environ)) as home:
        key = look_up(home, old)
        public = read_key(run, key)
        passphrase = passphrase_of(run, key, source, environ)
        new, retiring = _next(run, key, fresh, passphrase)
        try:
            _rehearse(run, replace(site.keys, archive=new, also=(retiring,)), home, passphrase)
        except SigningError as problem:
            raise SigningError(
                f"{new} and {retiring} cannot sign together: {problem.what}",
                cause=problem.cause,
                hint=problem.hint if new == old else f"{problem.hint}\nthen, since {new} is there: debkit key rotate --to {new}",
            ) from problem
    until, longer = _lasting(public, now, wanted)
    values: dict[str, settings.Setting] = {"archive": new, "also": (retiring,), "also-until": until}
    if site.keys.upload == old != new:
        values["upload"] = new
    settings.write_keys(site.file, values)
    written: tuple[Path, ...] = (site.file,)
    if site.upload_follows and new != old and settings.let_in(site.uploaders, old, new):
        written += (site.uploaders,)
    return Rotation(new=new, old=retiring, until=until, written=written, wanted=wanted, extend=longer)


def _lasting(key: PublicKey, now: float, wanted: str) -> tuple[str, tuple[str, ...]]:
    """Give the day until which a key can sign beside another, `wanted` at the latest, and the commands that put off its end.

    A whole day is left to retire it: from its end on nothing could be published.
    """
    ends = {part: part.expires for part in (key.primary, key.signer(now)) if part and part.expires}
    until = max(day_of(now), min([wanted, *(day_of(end - DAY) for end in ends.values())]))
    if until == wanted:
        return until, ()
    early = (part.fingerprint for part, end in ends.items() if day_of(end) <= wanted)
    return until, tuple(extend(key.fingerprint, *(() if part == key.fingerprint else (part,))) for part in early)


def _next(run: Run, key: SigningKey, fresh: Fresh, passphrase: str) -> tuple[str, str]:
    """Give the fingerprints of what is to sign, and of what signs beside it for a while."""
    home = key.home
    if fresh.to:
        demand_there(home, fresh.to)
        return look_up(home, fresh.to).fingerprint, key.fingerprint
    if not fresh.subkey:
        made = make_key(run, home, key.uid, algorithm=fresh.algorithm, life=fresh.life, passphrase=passphrase)
        return made, key.fingerprint
    signer = read_key(run, key).signer(time.time())
    if signer is None:
        raise SigningError(
            f"the key {key.fingerprint} has nothing that signs and could be retired",
            cause="see the next",
            hint="debkit key check",
        )
    time.sleep(max(0, signer.created + 1 - time.time()))  # gpg prefers the newest, and counts in seconds
    add_subkey(run, home, key.fingerprint, algorithm=fresh.algorithm, life=fresh.life, passphrase=passphrase)
    return key.fingerprint, signer.fingerprint


def _rehearse(run: Run, keys: KeysConfig, home: Path, passphrase: str) -> None:
    """Prove that all that signs the archive can be handed to CI, and signs there. Raises SigningError."""
    signers = (look_up(home, keys.archive), *(look_up(home, also, itself=also == keys.archive) for also in keys.also))
    material = export.material(run, signers, passphrase)
    given = Passphrase(ask=lambda _: passphrase)
    with find_keys(
        run, replace(keys, upload=keys.archive), environ={"DEBKIT_ARCHIVE_KEY": material}, state=home, passphrase=given
    ) as found:
        prove(found)


def _demand_changing(site: Site) -> None:
    if not site.keys.also:
        raise SigningError(
            "the archive's key is not being changed", cause=f"[keys] also in {site.file} names none", hint="debkit key rotate"
        )


def successor(run: Run, site: Site, *, environ: Mapping[str, str]) -> Successor:
    """Find what is to sign alone, once the day has come that the configuration names. Raises SigningError before it."""
    _demand_changing(site)
    keys = site.keys
    if day_of(time.time()) < keys.also_until:
        raise SigningError(
            f"{', '.join(keys.also)} is not to be retired before {keys.also_until}",
            cause="a client that has not been upgraded since the change began would refuse the archive",
            hint="wait; or, when the old key is lost or stolen: debkit key rotate --finish --now",
        )
    with reachable(run, own_home(environ)) as home:
        key = read_key(run, look_up(home, site.archive))
        signer = key.signer(time.time())
        if signer is None or signer.fingerprint in keys.also:
            raise SigningError(
                f"without {', '.join(keys.also)} nothing would sign the archive",
                cause=f"{site.archive} has nothing else that signs",
                hint="debkit key check",
            )
        # By the sign at its end gpg takes this subkey and no other (gpg(1), "How to specify a user ID").
        keyring = export_public(Place(home, f"{signer.fingerprint}!"))
    itself = any(part.fingerprint in keys.also for part in key.subkeys)
    return Successor(fingerprint=signer.fingerprint, name=signer.fingerprint if itself else key.fingerprint, keyring=keyring)


def finish(run: Run, site: Site, *, source: Passphrase, environ: Mapping[str, str]) -> Rotation:
    """Retire what signed beside the archive's key, be it time or not. A subkey expires with that; another key is not touched."""
    _demand_changing(site)
    keys = site.keys
    values: dict[str, settings.Setting] = {"also": None, "also-until": None}
    settings.prepared(site.file, values)
    for old in keys.also:
        _expire(run, keys.archive, old, source, environ)
    settings.write_keys(site.file, values)
    written: tuple[Path, ...] = (site.file,)
    for old in keys.also:
        if old not in {keys.upload, keys.archive} and settings.shut_out(site.uploaders, old):
            written = (site.file, site.uploaders)
    return Rotation(new=keys.archive, old=", ".join(keys.also), until="", written=written)


def _expire(run: Run, archive: str, old: str, source: Passphrase, environ: Mapping[str, str]) -> None:
    """Let a subkey of the archive's own key expire; what is no such subkey needs nothing."""
    with reachable(run, own_home(environ)) as home:
        key = look_up(home, archive)
        if old in {part.fingerprint for part in read_key(run, key).subkeys}:
            certify(run, home, passphrase_of(run, key, source, environ), "--quick-set-expire", archive, NOW, old)
            time.sleep(2)  # only what has expired is left out of the keyring that is written next
