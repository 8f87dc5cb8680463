"""Whether keys are fit for an archive: not expired or about to, not revoked, able to sign, and bound by hashes that apt takes."""

from __future__ import annotations

import re
import shlex
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from debkit.errors import SigningError
from debkit.keys.find import configured
from debkit.keys.public import read_keys
from debkit.keys.ring import export_public

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping
    from pathlib import Path

    from debkit.config import KeysConfig
    from debkit.keys.public import Part, PublicKey
    from debkit.keys.ring import Keys, Places
    from debkit.run import Run

DAY = 86400
DAYS = 30
LIFE = "2y"
# What apt refuses: Debian 13's by /usr/share/apt/default-sequoia.config, Ubuntu 24.04's by APT::Key::Assert-Pubkey-Algo.
WEAK_HASHES = frozenset({"MD5", "SHA1", "RIPEMD160"})
SHORTEST_RSA = 2048
ROTATE = "debkit key rotate"
FINISH = "debkit key rotate --finish"
AT_ONCE = f"{FINISH} --now"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a key, and the command that mends it."""

    what: str
    remedy: str


def check(
    run: Run, config: KeysConfig, *, environ: MutableMapping[str, str], published: Path, days: int = DAYS
) -> tuple[PublicKey, ...]:
    """Judge the configured keys, and the keyring that clients were given (a file, where there is one). Gives what was judged.

    A key that is being retired may be near its end, if it is gone in time (`judge`). Raises SigningError naming every problem.
    """
    with configured(run, config, environ=environ) as places:
        return _check(run, config, places, published=published, days=days)


def _check(run: Run, config: KeysConfig, places: Places, *, published: Path, days: int) -> tuple[PublicKey, ...]:
    now = time.time()
    keys: dict[str, PublicKey] = {}
    found: list[Problem] = []
    for place in dict.fromkeys((places.upload, *places.signers)):
        for key in read_keys(run, export_public(place, whole=True), what=place.fingerprint):
            if key.fingerprint not in keys:
                keys[key.fingerprint] = key
                found += judge(key, config, now=now, days=days)
    if published.exists() and published.read_bytes() != export_public(*places.signers):
        what = f"{published} is not what would be published now: a key was changed, extended, added or retired since"
        found.append(Problem(what, "debkit repo refresh"))
    _demand_none(found)
    return tuple(keys.values())


def judge(key: PublicKey, config: KeysConfig, *, now: float, days: int) -> Iterator[Problem]:
    """Tell what is wrong with a key, or will be in so many days, with what [keys] says of it.

    What is being retired signs every index until it is gone, so that nothing can be published after its end. That may be near
    where it comes after the day from which the old key may go, until this day has come.
    """
    until, over = config.also_until, bool(overdue(config, now=now))

    def lasts(*parts: Part | None) -> bool:
        return bool(until) and not over and all(day_of(part.expires) > until for part in parts if part and part.expires)

    if key.fingerprint in config.also:
        in_time = lasts(key.primary, key.signer(now))
        for one in problems(key, now=now, days=0 if in_time else days):
            remedy = FINISH if over else AT_ONCE if one.remedy.startswith(ROTATE) else one.remedy
            yield Problem(f"{one.what}{_retiring(until, over=over)}", remedy)
        return
    for one in problems(key, now=now, days=days):
        begins = bool(config.also) and one.remedy.startswith(ROTATE)  # no change is to be begun while one is under way
        yield replace(one, remedy=f"{AT_ONCE}\nthen: {one.remedy}") if begins else one
    for part in (part for part in key.subkeys if part.fingerprint in config.also):
        if what := "is revoked" if part.revoked else _ends(part, now=now, days=0 if lasts(part) else days):
            remedy = FINISH if over else AT_ONCE if part.revoked else extend(key.fingerprint, part.fingerprint)
            what = f"{key.fingerprint}: its signing subkey {part.fingerprint} {what}"
            yield Problem(f"{what}{_retiring(until, over=over)}", remedy)


def _retiring(until: str, *, over: bool) -> str:
    if not until:
        return "; it is being retired"
    return f"; it is being retired, and {'may go since' if over else 'is to sign until'} {until}"


def overdue(config: KeysConfig, *, now: float) -> tuple[Problem, ...]:
    """Say that a change of keys may be ended. That stops nothing, so it is told and no more, until the old key's end is near."""
    if not config.also or not config.also_until or config.also_until > day_of(now):
        return ()
    return (Problem(f"{', '.join(config.also)} may be retired since {config.also_until}", FINISH),)


def warnings(run: Run, keys: Keys, config: KeysConfig) -> tuple[str, ...]:
    """Tell what `check` would say of keys that do sign; development keys are renewed by themselves."""
    now = time.time()
    found = dict.fromkeys(problem.what for problem in overdue(config, now=now))
    for key in keys.each:
        for public in () if key.development else read_keys(run, export_public(key, whole=True), what=key.fingerprint):
            found |= dict.fromkeys(problem.what for problem in judge(public, config, now=now, days=DAYS))
    return tuple(found)


def check_keyring(run: Run, keyring: Path, *, days: int = DAYS) -> tuple[PublicKey, ...]:
    """Judge all keys of a file, as clients have it. Raises SigningError naming every problem."""
    keys = read_keys(run, keyring.read_bytes(), what=str(keyring))
    _demand_none([problem for key in keys for problem in problems(key, now=time.time(), days=days)])
    return keys


def _demand_none(found: list[Problem]) -> None:
    if found:
        raise SigningError(
            "the signing key has a problem" if len(found) == 1 else f"the signing keys have {len(found)} problems",
            cause="\n".join(problem.what for problem in found),
            hint="\n".join(dict.fromkeys(problem.remedy for problem in found)),
        )


def problems(key: PublicKey, *, now: float, days: int) -> Iterator[Problem]:
    """Tell what is wrong with a key, or will be in so many days."""
    name = key.fingerprint
    if key.primary.revoked:
        yield Problem(f"{name} is revoked", ROTATE)
        return
    if what := _ends(key.primary, now=now, days=days):
        yield Problem(f"{name} {what}", extend(name))
    signer = key.signer(now)
    newest = max((part for part in key.subkeys if part.signs), key=lambda part: part.created, default=None)
    if newest and not any(part.signs and part.is_good(now) for part in key.subkeys):
        what = "is revoked" if newest.revoked else _ends(newest, now=now, days=days)
        yield Problem(f"{name}: its signing subkey {newest.fingerprint} {what}, and there is no other", _another(name))
    elif signer and signer is not key.primary and (what := _ends(signer, now=now, days=days)):
        yield Problem(f"{name}: its signing subkey {signer.fingerprint} {what}", extend(name, signer.fingerprint))
    elif not signer and not newest and not key.primary.signs:
        yield Problem(f"{name} has no subkey that may sign", _another(name))
    yield from _weaknesses(key, now)


def _weaknesses(key: PublicKey, now: float) -> Iterator[Problem]:
    name = key.fingerprint
    for part in (key.primary, *(sub for sub in key.subkeys if sub.signs and sub.is_good(now))):
        what = name if part is key.primary else f"{name}: its signing subkey {part.fingerprint}"
        if weak := WEAK_HASHES.intersection(part.hashes):
            remedy = extend(name) if part is key.primary else f"{ROTATE} --subkey"  # the signature in a binding stays as it is
            yield Problem(f"{what} is bound by a {' and '.join(sorted(weak))} signature, which apt refuses", remedy)
        elif not part.hashes:
            yield Problem(f"{what} bears no signature of its own key", ROTATE)
        short = re.fullmatch(r"rsa(\d+)", part.algorithm)
        if (short and int(short[1]) < SHORTEST_RSA) or part.algorithm.startswith("dsa"):
            yield Problem(f"{what} is {part.algorithm}, which apt refuses", ROTATE)


def _ends(part: Part, *, now: float, days: int) -> str:
    """Say that a part has expired or is about to, or nothing."""
    if part.expires is None or part.expires > now + days * DAY:
        return ""
    day = day_of(part.expires)
    left = int((part.expires - now) // DAY)
    return f"expired on {day}" if part.expires <= now else f"expires on {day}, in {left} day{'' if left == 1 else 's'}"


def day_of(moment: float) -> str:
    """Give the day (UTC) of a time in seconds since the epoch, as [keys] also-until has it."""
    return time.strftime("%Y-%m-%d", time.gmtime(moment))


def extend(fingerprint: str, *subkey: str) -> str:
    """Say how to set a new end, which makes the signature anew too; the hash is named because a gpg.conf may ask for another."""
    return shlex.join(("gpg", "--cert-digest-algo", "SHA512", "--quick-set-expire", fingerprint, LIFE, *subkey))


def _another(fingerprint: str) -> str:
    return shlex.join(("gpg", "--cert-digest-algo", "SHA512", "--quick-add-key", fingerprint, "ed25519", "sign", LIFE))
