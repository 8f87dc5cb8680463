"""Which secret keys there are, and what for."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from debkit.errors import SigningError
from debkit.keys.find import located, own_home
from debkit.keys.home import reachable
from debkit.keys.public import read_keys
from debkit.keys.ring import Place, export_public, gpg

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping
    from pathlib import Path

    from debkit.config import KeysConfig
    from debkit.keys.public import PublicKey
    from debkit.keys.ring import Places
    from debkit.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A key and its roles: upload, archive, and (while the archive's key is changed) retiring. Where it has none, it has none."""

    key: PublicKey
    roles: tuple[str, ...]
    development: bool = False


def listing(run: Run, config: KeysConfig, *, environ: MutableMapping[str, str], state: Path) -> tuple[Listed, ...]:
    """List the keys that were handed over, then those of the caller's own keyring; the development keys where none is configured.

    Raises SigningError for a configured key that is nowhere.
    """
    with located(run, config, environ=environ) as places:
        found = {listed.key.fingerprint: listed for listed in _keys(run, places, environ)}
    if places is None:
        for file in sorted((state / "keys").glob("*.asc")):
            for key in read_keys(run, file.read_bytes(), what=str(file)):
                found[key.fingerprint] = Listed(key=key, roles=(file.stem,), development=True)
    return tuple(found.values())


def _keys(run: Run, places: Places | None, environ: MutableMapping[str, str]) -> Iterator[Listed]:
    named = (places.upload, *places.signers) if places else ()
    with contextlib.ExitStack() as stack:
        wanted = list(named)
        with contextlib.suppress(SigningError):  # a machine without a keyring has nothing more to list
            own = stack.enter_context(reachable(run, own_home(environ)))
            wanted += [Place(own, key["fingerprint"]) for key in gpg(own).list_keys(secret=True)]
        for place in wanted:
            for key in read_keys(run, export_public(place, whole=True), what=place.fingerprint):
                yield Listed(key=key, roles=_roles(key, places))


def _roles(key: PublicKey, places: Places | None) -> tuple[str, ...]:
    if places is None:
        return ()
    parts = {part.fingerprint for part in (key.primary, *key.subkeys)}
    roles = (("upload", (places.upload,)), ("archive", (places.archive,)), ("retiring", places.also))
    return tuple(role for role, wanted in roles if any(place.fingerprint in parts for place in wanted))
