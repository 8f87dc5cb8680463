"""Which keys sign: from the environment, from the caller's own keyring, or, with neither, the development keys."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from debkit.errors import SigningError
from debkit.keys.development import development_key
from debkit.keys.home import reachable, throwaway
from debkit.keys.passphrase import Passphrase, read_passphrase
from debkit.keys.ring import NOT_IN_FAVOUR, Keys, PassphraseNeeded, Place, Places, Secret, attempt, gpg, look_up
from debkit.keys.settings import lines
from debkit.run import require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, MutableMapping

    from debkit.config import KeysConfig
    from debkit.run import Run

EXPORT = "debkit key export --secret"
VARIABLES = {"upload": "DEBKIT_SIGNING_KEY", "archive": "DEBKIT_ARCHIVE_KEY"}


@dataclass(frozen=True, slots=True)
class _Material:
    """Secret key material and the variable or file it came from."""

    origin: str
    data: bytes


@contextlib.contextmanager
def find_keys(
    run: Run,
    config: KeysConfig,
    *,
    environ: MutableMapping[str, str],
    state: Path,
    passphrase: Passphrase | None = None,
    release: bool = False,
) -> Iterator[Keys]:
    """Find the two keys and what unlocks them; homes and agents made for it last as long as the context.

    DEBKIT_SIGNING_KEY and DEBKIT_ARCHIVE_KEY (key material, removed from `environ` once read), or the files that the same names
    with _FILE name, go before `config`'s fingerprints in the caller's own keyring. Whichever of the two keys is not given is the
    other one. With neither, the development keys kept in `state` are used, which `release` refuses. Raises SigningError.
    """
    with located(run, config, environ=environ) as places:
        if places is None and release:
            raise SigningError(
                "a release needs a real signing key, and none is configured",
                cause="without one debkit signs with a development key, which nobody else trusts",
                hint="name your key's fingerprint in [keys] of config/debkit.toml, or set DEBKIT_SIGNING_KEY_FILE",
            )
        with contextlib.ExitStack() as stack:
            if places:
                keys = looked_up(places)
            else:
                home = stack.enter_context(throwaway(run))
                upload, archive = (
                    look_up(home, development_key(run, home, state, role), development=True) for role in ("upload", "archive")
                )
                keys = Keys(upload=upload, archive=archive)
            source = passphrase or Passphrase()
            yield _unlocked(_with_given(keys, source, environ), source)


@contextlib.contextmanager
def configured(run: Run, config: KeysConfig, *, environ: MutableMapping[str, str]) -> Iterator[Places]:
    """Find where the real keys are. Raises SigningError where there are none, with the keys that could be named."""
    with located(run, config, environ=environ) as places:
        if places is None:
            usable = _usable(run, environ)
            raise SigningError(
                "no signing key is configured",
                cause="[keys] in config/debkit.toml names none, and none is handed over in the environment",
                hint="editor config/debkit.toml, so that [keys] names a key which you have, such as"
                if usable
                else "debkit key init",
                excerpt=tuple(line for fingerprint in usable for line in lines({"archive": fingerprint})),
            )
        yield places


def _usable(run: Run, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Give the fingerprints of the keys in the caller's own keyring that can sign."""
    if not home_of(environ).is_dir():
        return ()
    with reachable(run, home_of(environ)) as home:
        known = gpg(home).list_keys(secret=True)
        return tuple(key["fingerprint"] for key in known if key["trust"] not in NOT_IN_FAVOUR and "S" in key["cap"])


@contextlib.contextmanager
def located(run: Run, config: KeysConfig, *, environ: MutableMapping[str, str]) -> Iterator[Places | None]:
    """Find where the real keys are, as `find_keys` does, and nothing of what they are good for. None where there are none."""
    require_tool("gpg")
    material = {role: _take(environ, role) for role in VARIABLES}
    if not (any(material.values()) or config.upload or config.archive):
        yield None
        return
    with contextlib.ExitStack() as stack:
        yield _located(run, stack, config, environ, material)


def looked_up(places: Places) -> Keys:
    """Find the secret keys where they are said to be. Raises SigningError for one that is not fit to sign."""
    upload = look_up(places.upload.home, places.upload.fingerprint)
    return Keys(
        upload=upload,
        archive=upload if places.archive == places.upload else look_up(places.archive.home, places.archive.fingerprint),
        also=tuple(
            look_up(place.home, place.fingerprint, itself=place.fingerprint == places.archive.fingerprint)
            for place in places.also
        ),
    )


def _take(environ: MutableMapping[str, str], role: str) -> _Material | None:
    """Take key material out of the environment: its children, and whoever reads it later, do not see it."""
    variable = VARIABLES[role]
    text = environ.pop(variable, "")
    if text:
        return _Material(variable, text.encode())
    if not environ.get(f"{variable}_FILE"):
        return None
    path = Path(environ[f"{variable}_FILE"])
    try:
        return _Material(os.fspath(path), path.read_bytes())
    except OSError as problem:
        raise SigningError(
            f"{variable}_FILE names {path}, which cannot be read", cause=problem.strerror or str(problem), hint=f"ls -l {path}"
        ) from problem


def _located(
    run: Run,
    stack: contextlib.ExitStack,
    config: KeysConfig,
    environ: MutableMapping[str, str],
    material: dict[str, _Material | None],
) -> Places:
    """Bring what was handed to us into a throwaway home; the rest is in the caller's own."""
    home = stack.enter_context(throwaway(run)) if any(material.values()) else None
    own: Path | None = None
    found: dict[str, Place] = {}
    imported = {role: _import(home, given, role) for role, given in material.items() if home and given}
    brought = {fingerprint for each in imported.values() for fingerprint in each}
    for role, wanted, other in (("upload", config.upload, config.archive), ("archive", config.archive, config.upload)):
        given = material[role]
        if home and given:
            preferred = wanted or (other if other in imported[role] else "")
            found[role] = Place(home, _choose(imported[role], preferred, given.origin, role))
        elif home and wanted in brought:
            found[role] = Place(home, wanted)
        elif wanted:
            own = own or stack.enter_context(reachable(run, own_home(environ)))
            found[role] = Place(own, wanted)
    either = next(iter(found.values()))
    archive = found.get("archive", either)
    for fingerprint in config.also if archive.home == home else ():
        _demand_brought(archive, fingerprint)
    return Places(
        upload=found.get("upload", either), archive=archive, also=tuple(Place(archive.home, also) for also in config.also)
    )


def _demand_brought(archive: Place, also: str) -> None:
    """Check that a key came with the archive's: both sign in one run."""
    if not gpg(archive.home).list_keys(secret=True, keys=[also]):
        raise SigningError(
            f"the secret key {also} was not handed over",
            cause=f"[keys] also of config/debkit.toml names it, and it is not where {archive.fingerprint} came from",
            hint=f"where both are: {EXPORT}",
        )


def home_of(environ: Mapping[str, str]) -> Path:
    """Say where the caller's own GnuPG home is, or would be."""
    return Path(environ.get("GNUPGHOME") or Path.home() / ".gnupg").absolute()


def own_home(environ: Mapping[str, str]) -> Path:
    """Give the caller's own GnuPG home. Raises SigningError when there is none."""
    home = home_of(environ)
    if not home.is_dir():
        raise SigningError(
            "the configured signing key is not on this machine",
            cause=f"there is no keyring {home}",
            hint="gpg --import SECRET-KEY.asc",
        )
    return home


def _import(home: Path, given: _Material, role: str) -> tuple[str, ...]:
    """Import secret keys and give their fingerprints."""
    result = gpg(home).import_keys(given.data)
    known = {key["fingerprint"] for key in gpg(home).list_keys(secret=True)}
    secret = tuple(dict.fromkeys(f for f in result.fingerprints if f in known))
    if not secret:
        public = bool(result.fingerprints)
        raise SigningError(
            f"{given.origin} holds no secret key",
            cause="it is a public key" if public else "it is not an exported key at all",
            hint=_export(role, "FINGERPRINT"),
        )
    return secret


def _export(role: str, fingerprint: str) -> str:
    """Say how to get what is to be handed over: what signs, and not the primary key, which would make others."""
    return EXPORT if role == "archive" else f"gpg --armor --export-secret-subkeys {fingerprint}"


def _choose(brought: tuple[str, ...], wanted: str, origin: str, role: str) -> str:
    if wanted and wanted not in brought:
        raise SigningError(
            f"{origin} holds another key than [keys] {role} in config/debkit.toml names",
            cause=f"it holds {', '.join(brought)}; wanted is {wanted}",
            hint=_export(role, wanted),
        )
    if not wanted and len(brought) > 1:
        raise SigningError(
            f"{origin} holds {len(brought)} secret keys",
            cause=", ".join(brought),
            hint=f"name one of them in [keys] {role} of config/debkit.toml",
        )
    return wanted or brought[0]


def unlock(keys: Keys, source: Passphrase) -> Keys:
    """Ask for the passphrase of each key that cannot sign without one and whose passphrase is not known.

    What signs the archive is unlocked by one passphrase: reprepro's hook is given one. Raises SigningError where there are two,
    or where a key is not fit to sign any more.
    """
    for key in keys.each:
        look_up(key.home, key.fingerprint)
    return _unlocked(keys, source)


def _unlocked(keys: Keys, source: Passphrase) -> Keys:
    """Do that for keys that were just looked up."""
    secrets = dict(keys.secrets)
    for key in keys.each:
        if key.fingerprint in secrets:
            continue
        typed = tuple(secret.reveal() for secret in secrets.values())
        troubles = {text: attempt(key, text) for text in ("", *typed)}
        fitting = next((text for text, trouble in troubles.items() if trouble is None), None)
        if fitting is None and isinstance(troubles[""], PassphraseNeeded):
            fitting = source.ask(f"Passphrase of {key.uid or key.fingerprint}: ")
        if fitting:
            secrets[key.fingerprint] = Secret(fitting)
    shared = {secrets[key.fingerprint].reveal() for key in keys.signers if key.fingerprint in secrets}
    if len(shared) > 1:
        raise SigningError(
            "the keys that sign the archive have different passphrases",
            cause=f"they sign together: {', '.join(key.fingerprint for key in keys.signers)}",
            hint=f"give them the same one: gpg --change-passphrase {keys.also[0].fingerprint}",
        )
    return replace(keys, secrets={**secrets, **{key.fingerprint: Secret(text) for key in keys.signers for text in shared}})


def _with_given(keys: Keys, source: Passphrase, environ: Mapping[str, str]) -> Keys:
    """Add the passphrase that the caller hands over, if any."""
    given = read_passphrase(source, environ)
    return keys if given is None else replace(keys, secrets={key.fingerprint: Secret(given) for key in keys.each})
