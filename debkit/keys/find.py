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
from debkit.keys.ring import Keys, PassphraseNeeded, Secret, attempt, gpg, look_up
from debkit.run import require_tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, MutableMapping

    from debkit.config import KeysConfig
    from debkit.model import SigningKey
    from debkit.run import Run

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
    require_tool("gpg")
    material = {role: _take(environ, role) for role in VARIABLES}
    configured = any(material.values()) or config.upload or config.archive
    if release and not configured:
        raise SigningError(
            "a release needs a real signing key, and none is configured",
            cause="without one debkit signs with a development key, which nobody else trusts",
            hint="name your key's fingerprint in [keys] of config/debkit.toml, or set DEBKIT_SIGNING_KEY_FILE",
        )
    with contextlib.ExitStack() as stack:
        if configured:
            upload, archive = _configured(run, stack, config, environ, material)
        else:
            home = stack.enter_context(throwaway(run))
            upload, archive = (
                look_up(home, development_key(run, home, state, role), development=True) for role in ("upload", "archive")
            )
        source = passphrase or Passphrase()
        yield unlock(_with_given(Keys(upload=upload, archive=archive), source, environ), source)


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


def _configured(
    run: Run,
    stack: contextlib.ExitStack,
    config: KeysConfig,
    environ: MutableMapping[str, str],
    material: dict[str, _Material | None],
) -> tuple[SigningKey, SigningKey]:
    """Bring what was handed to us into a throwaway home, and look the rest up in the caller's own."""
    home = stack.enter_context(throwaway(run)) if any(material.values()) else None
    own: Path | None = None
    found: dict[str, SigningKey] = {}
    brought: tuple[str, ...] = ()
    for role, wanted in (("upload", config.upload), ("archive", config.archive)):
        given = material[role]
        if home and given:
            brought = _import(home, given)
            found[role] = look_up(home, _choose(brought, wanted, given.origin, role))
        elif home and wanted in brought:
            found[role] = look_up(home, wanted)
        elif wanted:
            own = own or stack.enter_context(reachable(run, own_home(environ)))
            found[role] = look_up(own, wanted)
    either = next(iter(found.values()))
    return found.get("upload", either), found.get("archive", either)


def own_home(environ: MutableMapping[str, str]) -> Path:
    """Give the caller's own GnuPG home. Raises SigningError when there is none."""
    home = Path(environ.get("GNUPGHOME") or Path.home() / ".gnupg").absolute()
    if not home.is_dir():
        raise SigningError(
            "the configured signing key is not on this machine",
            cause=f"there is no keyring {home}",
            hint="gpg --import SECRET-KEY.asc",
        )
    return home


def _import(home: Path, given: _Material) -> tuple[str, ...]:
    """Import secret keys and give their fingerprints."""
    result = gpg(home).import_keys(given.data)
    known = {key["fingerprint"] for key in gpg(home).list_keys(secret=True)}
    secret = tuple(dict.fromkeys(f for f in result.fingerprints if f in known))
    if not secret:
        public = bool(result.fingerprints)
        raise SigningError(
            f"{given.origin} holds no secret key",
            cause="it is a public key" if public else "it is not an exported key at all",
            hint="gpg --armor --export-secret-keys FINGERPRINT",
        )
    return secret


def _choose(brought: tuple[str, ...], wanted: str, origin: str, role: str) -> str:
    if wanted and wanted not in brought:
        raise SigningError(
            f"{origin} holds another key than [keys] {role} in config/debkit.toml names",
            cause=f"it holds {', '.join(brought)}; wanted is {wanted}",
            hint=f"gpg --armor --export-secret-keys {wanted}",
        )
    if not wanted and len(brought) > 1:
        raise SigningError(
            f"{origin} holds {len(brought)} secret keys",
            cause=", ".join(brought),
            hint=f"name one of them in [keys] {role} of config/debkit.toml",
        )
    return wanted or brought[0]


def unlock(keys: Keys, source: Passphrase) -> Keys:
    """Ask for the passphrase of each key that cannot sign without one and whose passphrase is not known."""
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
    return replace(keys, secrets=secrets)


def _with_given(keys: Keys, source: Passphrase, environ: Mapping[str, str]) -> Keys:
    """Add the passphrase that the caller hands over, if any."""
    given = read_passphrase(source, environ)
    return keys if given is None else replace(keys, secrets={key.fingerprint: Secret(given) for key in keys.each})
