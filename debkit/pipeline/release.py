"""Feed a GitHub release from the archive: find what a tag names, lay its files out, and hand them to the release room."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from debkit.archive import client
from debkit.archive.released import NotReleased, read_released, reading
from debkit.errors import SourceError
from debkit.keys import clearsign, find_keys, sign_beside
from debkit.paths import state_home
from debkit.pipeline.execute import staging
from debkit.release import assets as names
from debkit.release import flat, named, notes, text
from debkit.release.assets import SIGNATURE, SUMS, Asset
from debkit.report import REPORT
from debkit.run import temporary
from debkit.source import changes_of, describe
from debkit.source.git import in_git

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, MutableMapping

    from debkit.archive.released import Released
    from debkit.config import Config
    from debkit.console import Console, Progress
    from debkit.keys import Keys, Passphrase
    from debkit.release.github import Outcome
    from debkit.run import Processes, Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked for. Empty: the tag and the repository that the environment names; `notes` is the text of the release."""

    where: str
    tag: str = ""
    repository: str = ""
    notes: str = ""
    flat: bool = False


def release(
    run: Processes, request: Request, config: Config, console: Console, *, environ: MutableMapping[str, str],
    passphrase: Passphrase,
) -> tuple[Outcome, str]:  # fmt: skip
    """Publish the release, and give where it is. Raises DebkitError.

    The archive is held while its files are laid out, and not while they are uploaded.
    """
    from debkit.release.client import API, connect  # noqa: PLC0415  (PyGithub takes a while to import)
    from debkit.release.github import Publication, Release  # noqa: PLC0415

    token, repository = named.find_token(environ), named.find_repository(request.repository, environ)
    tag = named.find_tag(run, request.tag, Path(request.where), environ)
    with _tagged(run, request.where, tag):
        source = _source(run, request.where, config, tag)
    request = replace(request, notes=_notes(run, request, config, console, tag))
    config.dist.mkdir(parents=True, exist_ok=True)
    with (
        run.interruptible(),
        find_keys(run, config.keys, environ=environ, state=state_home(), passphrase=passphrase) as keys,
        temporary(".release.", config.dist) as directory,
        console.jobs((tag,)) as rows,
    ):
        row = rows[tag]
        with _tagged(run, request.where, tag):
            found, fixed = _lay_out(config, source, directory, row)
        row.phase("signing")
        made = _make(run, config, keys, found, fixed, into=directory, with_flat=request.flat)
        described = _describe(request, config, keys, found, fixed, place=named.place(environ, repository, tag, found.version))
        to_be = Release(
            title=f"{found.source} {found.version}",
            text=described,
            prerelease=named.is_prerelease(found.version),
            assets=(*fixed, *made),
        )
        api = environ.get("GITHUB_API_URL") or API
        github = connect(token, api=api, repository=repository, tag=tag, progress=row)
        ended = Publication(github, to_be, keys).run()
        row.done(ended[0].value)
    return ended


def preview(run: Processes, request: Request, config: Config, console: Console, *, environ: Mapping[str, str]) -> None:
    """Show what a release would have, asking nobody and signing nothing."""
    tag = named.find_tag(run, request.tag, Path(request.where), environ)
    with _tagged(run, request.where, tag), reading(config):
        found = read_released(config, *_source(run, request.where, config, tag))
    origins = [Path(file.name).name for file in found.all_files]
    names.demand_distinct(origins)
    where = request.repository or environ.get("GITHUB_REPOSITORY") or "a repository that --repository names"
    console.info(f"{found.source} {found.version} would be released as {tag} of {where}")
    for suite, called in found.versions.items():
        console.info(f"  {suite}: {called}")
    report = (REPORT,) if (config.dist / REPORT).exists() else ()
    made = (*report, *((*flat.INDICES, client.keyring_name(config)) if request.flat else ()), SUMS, SIGNATURE)
    rows = [(names.asset_name(origin), origin if names.asset_name(origin) != origin else "") for origin in origins]
    console.table([("asset", "in the archive"), *rows, *((name, "") for name in made)])


@contextlib.contextmanager
def _tagged(run: Run, where: str, tag: str) -> Iterator[None]:
    """Where what a tag names is not found, tell first that the tree's git has no such tag: its version was never to be built."""
    try:
        yield
    except (SourceError, NotReleased) as problem:
        if missing := named.missing_tag(run, tag, Path(where)):
            raise missing from problem
        raise


def _source(run: Run, where: str, config: Config, tag: str) -> tuple[str, str]:
    """Say which source package is released, and which version: what a build makes, where the tree's last commit has the tag."""
    if _is_at(run, where, tag):
        suite = config.build.suites[0]
        draft = describe(run, where, suite=suite, config=config, staging=staging(config))
        if draft and (draft.clean or not draft.snapshot):
            return draft.name, draft.version
    return named.source_of(where, tag)


def _is_at(run: Run, where: str, tag: str) -> bool:
    """Whether a tree is named whose last commit has the tag."""
    tree = Path(where)
    return tree.is_dir() and in_git(tree) and tag in named.tags_at(run, tree)


def _notes(run: Processes, request: Request, config: Config, console: Console, tag: str) -> str:
    """Give what the release's text begins with: what was handed over, or the notes of a tree whose last commit has the tag."""
    if request.notes or not _is_at(run, request.where, tag):
        return request.notes
    try:
        return notes.written(changes_of(run, request.where, config=config, staging=staging(config)))
    except SourceError as problem:
        console.warn(f"the release has no notes: {problem.what}")
        return ""


def _describe(
    request: Request, config: Config, keys: Keys, found: Released, fixed: tuple[Asset, ...], *, place: str
) -> str:  # fmt: skip
    """Write the release's text. `place` is where its files are downloaded from."""
    words = request.notes or f"{found.source} {found.version}, as it is in the archive {config.archive.name}."
    apt = ""
    if request.flat:
        suite = flat_suite(config, found)
        packages = sorted({name.partition("_")[0] for name in _names_in(found, suite) if name.endswith(".deb")})
        apt = text.apt_lines(
            suite, place, keyring=client.keyring_name(config), name=config.archive.name, packages=tuple(packages)
        )
    return text.compose(words, fixed, signers=tuple(key.fingerprint for key in keys.signers), apt=apt)


def _lay_out(config: Config, source: tuple[str, str], directory: Path, progress: Progress) -> tuple[Released, tuple[Asset, ...]]:
    with reading(config, progress=progress):
        progress.phase("reading the archive")
        found = read_released(config, *source)
        return found, names.gather(directory, config.repo, found.all_files)


def _make(
    run: Processes, config: Config, keys: Keys, found: Released, fixed: tuple[Asset, ...], *, into: Path, with_flat: bool
) -> tuple[Asset, ...]:  # fmt: skip
    """Make what a release has beside the archive's files, the list of all and its signature last."""
    made: list[Asset] = []
    if (config.dist / REPORT).exists():
        made.append(_write(into, REPORT, (config.dist / REPORT).read_bytes()))
    if with_flat:
        suite = flat_suite(config, found)
        packages = tuple(asset for asset in fixed if asset.origin in _names_in(found, suite))
        indices = flat.make_indices(run, packages, parent=into, name=config.archive.name, time=found.time)
        release = indices[flat.TO_SIGN]
        keyring = client.keyring_file(config)
        made += [_write(into, name, content) for name, content in indices.items()]
        made.append(_write(into, "Release.gpg", sign_beside(keys, release), signs=release))
        made.append(_write(into, "InRelease", clearsign(keys, release), signs=release))
        made.append(_write(into, keyring.name, keyring.read_bytes()))
    sums = names.checksums((*fixed, *made)).encode()
    return (*made, _write(into, SUMS, sums), _write(into, SIGNATURE, sign_beside(keys, sums), signs=sums))


def _write(directory: Path, name: str, content: bytes, *, signs: bytes = b"") -> Asset:
    path = directory / name
    path.write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    return Asset(name=name, path=path, size=len(content), sha256=sha256, made=True, signs=signs)


def flat_suite(config: Config, found: Released) -> str:
    """Choose whose packages a flat repository has, which has room for one suite: the first that is built for."""
    order = [config.archive.suite(suite) for suite in config.build.suites]
    return next((suite for suite in order if suite in found.versions), next(iter(found.versions)))


def _names_in(found: Released, suite: str) -> frozenset[str]:
    return frozenset(Path(file.name).name for file in found.files[suite])
