"""The release on GitHub: a draft that is filled, verified, and only then published. What a killed run has begun is finished."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Any

from debian.debian_support import Version
from github import UnknownObjectException

from debkit.errors import ReleaseConflict, ReleaseError
from debkit.keys import is_signed
from debkit.release.assets import SIGNATURE, SUMS, demand_acceptable, parse_checksums
from debkit.release.client import AGAIN, gone
from debkit.release.named import version_of
from debkit.release.text import is_ours, merge

if TYPE_CHECKING:
    from debkit.keys import Keys
    from debkit.release.assets import Asset
    from debkit.release.client import Client

UPLOADED = "uploaded"  # of an asset's states the only one that has all its bytes
WRITE = "write releases"
READ = "read its releases"


class Outcome(Enum):
    """What came of it."""

    UNCHANGED = "was there already, whole and verified"
    COMPLETED = "was published already and lacked files, which it has now"
    PUBLISHED = "is published"


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A release to be. Its last assets are SHA256SUMS, which has all others, and its signature."""

    title: str
    text: str
    prerelease: bool
    assets: tuple[Asset, ...]


@dataclass(slots=True)
class Publication:
    """One release on its way to GitHub. `repository` and what comes of it are PyGithub's."""

    client: Client
    release: Release
    keys: Keys
    repository: Any = None
    hashed: dict[int, str] = field(default_factory=dict)

    def run(self) -> tuple[Outcome, str]:
        """Publish, and give where it can be seen. Raises ReleaseConflict, ReleaseError, NetworkError."""
        demand_acceptable(self.release.assets)
        self.client.progress.phase("looking at GitHub")
        self.repository = self._find_repository()
        self._demand_tag()
        found = self._find()
        if found and not found.draft and self._is_complete(found):
            return Outcome.UNCHANGED, str(found.html_url)
        draft = found or self._create()
        was_draft = bool(draft.draft)
        self._fill(draft)
        self.client.progress.phase("verifying what GitHub has")
        self._verify(draft)
        self._remove_twins(draft)
        self.client.progress.phase("publishing")
        published = self._publish(draft)
        return Outcome.PUBLISHED if was_draft else Outcome.COMPLETED, str(published.html_url)

    def _find_repository(self) -> Any:
        client = self.client

        def look() -> Any:
            try:
                return client.hub.get_repo(client.repository)
            except UnknownObjectException as problem:
                raise ReleaseError(
                    f"there is no repository {client.repository} on {client.api}",
                    cause="its name is mistyped, or the token may not see it",
                    hint="debkit release github --repository OWNER/NAME",
                ) from problem

        return client.ask(READ, look)

    def _demand_tag(self) -> None:
        """Check that the tag is there: GitHub would make one by itself, of the newest commit."""
        tag = self.client.tag
        found = self.client.ask("read its tags", lambda: list(self.repository.get_git_matching_refs(f"tags/{tag}")))
        if f"refs/tags/{tag}" not in {ref.ref for ref in found}:
            raise ReleaseError(
                f"{self.client.repository} has no tag {tag}", cause="it was not pushed", hint=f"git push origin {tag}"
            )

    def _of_tag(self) -> list[Any]:
        """List the releases of the tag, drafts too, the one to use first: what is published, or the oldest draft."""
        every = self.client.ask(READ, lambda: list(self.repository.get_releases()))
        return sorted((one for one in every if one.tag_name == self.client.tag), key=lambda one: (bool(one.draft), one.id))

    def _find(self) -> Any:
        return next(iter(self._of_tag()), None)

    def _create(self) -> Any:
        """Make the draft; where two were made, because an answer was lost or another run did so too, the older one counts."""
        self.client.progress.phase("making a draft")
        release = self.release
        made = self.client.make(
            WRITE,
            lambda: self.repository.create_git_release(
                self.client.tag, release.title, release.text, draft=True, prerelease=release.prerelease
            ),
            look=self._find,
        )
        return self._find() or made

    def _assets(self, draft: Any) -> dict[str, Any]:
        return {asset.name: asset for asset in self.client.ask(READ, lambda: list(draft.get_assets()))}

    def _sha256(self, there: Any) -> str:
        """Give what GitHub says an asset's SHA-256 is, or what it is: an older server does not say it."""
        digest = str(there.raw_data.get("digest") or "")
        if digest.startswith("sha256:"):
            return digest.removeprefix("sha256:")
        if there.id not in self.hashed:
            sha256 = hashlib.sha256()
            self.client.progress.phase(f"downloading {there.name} to verify it")
            self.client.read(there, sha256.update)
            self.hashed[there.id] = sha256.hexdigest()
        return self.hashed[there.id]

    def _is(self, there: Any, asset: Asset) -> bool:
        if there.state != UPLOADED:
            return False
        if there.size == asset.size and self._sha256(there) == asset.sha256:
            return True
        return bool(asset.signs) and is_signed(self.keys, asset.signs, self._read(there))

    def _read(self, there: Any) -> bytes:
        """Download a small file."""
        content = bytearray()
        self.client.read(there, content.extend)
        return bytes(content)

    def _is_complete(self, release: Any) -> bool:
        """Whether a published release has all of this one's files that are not made for it, under a signed list of all it has."""
        there = {name: asset for name, asset in self._assets(release).items() if asset.state == UPLOADED}
        if not {asset.name for asset in self.release.assets} <= there.keys():
            return False
        text = self._read(there[SUMS])
        listed = parse_checksums(text.decode(errors="replace"))
        return (
            is_signed(self.keys, text, self._read(there[SIGNATURE]))
            and {asset.name for asset in self.release.assets if not asset.signs} - {SUMS} <= listed.keys() <= there.keys()
            and all(listed[asset.name] == asset.sha256 for asset in self.release.assets if not asset.made)
            and all(self._sha256(there[name]) == sha256 for name, sha256 in listed.items())
        )

    def _fill(self, draft: Any) -> None:
        """Upload what is not there yet. Nothing is, before all that is there and must not be changed has been looked at."""
        there = self._assets(draft)
        for asset in self.release.assets:
            if not asset.made and (found := there.get(asset.name)) and found.state == UPLOADED and not self._is(found, asset):
                raise self._conflict(asset)
        for number, asset in enumerate(self.release.assets, 1):
            if (found := there.get(asset.name)) and self._is(found, asset):
                continue
            if found:  # half of one that was cut off, or what an earlier run has made
                self.client.ask(WRITE, partial(gone, found.delete_asset))
            self.client.progress.phase(f"uploading {asset.name} ({number} of {len(self.release.assets)})")
            self._upload(draft, asset)

    def _upload(self, draft: Any, asset: Asset) -> None:
        def look() -> Any:
            found = self._assets(draft).get(asset.name)
            if found is None or self._is(found, asset):
                return found
            if found.state == UPLOADED and not asset.made:
                raise self._conflict(asset)
            self.client.ask(WRITE, partial(gone, found.delete_asset))
            return None

        path = f"{asset.path}"
        content_type = "application/octet-stream"
        made = self.client.make(WRITE, lambda: draft.upload_asset(path, name=asset.name, content_type=content_type), look=look)
        if made.name != asset.name:
            raise ReleaseError(
                f"GitHub calls {asset.name} {made.name}",
                cause="it renames more than debkit knows of",
                hint=f"gh release delete-asset {self.client.tag} {made.name}; and report it, for it is a defect in debkit",
            )

    def _verify(self, draft: Any) -> None:
        """Check every file by what GitHub says it has received."""
        there = self._assets(draft)
        for asset in self.release.assets:
            if asset.name not in there or not self._is(there[asset.name], asset):
                raise ReleaseError(
                    f"{asset.name} is not on GitHub as it was sent",
                    cause="another run or a person works on the same release, or it was damaged on the way",
                    hint=AGAIN,
                )

    def _remove_twins(self, draft: Any) -> None:
        """Remove further drafts of the tag that debkit has made."""
        for twin in self._of_tag():
            if twin.id != draft.id and twin.draft and is_ours(twin.body or ""):
                self.client.ask(WRITE, partial(gone, twin.delete_release))

    def _publish(self, draft: Any) -> Any:
        release = self.release
        title, text = draft.title or release.title, merge(draft.body or "", release.text)
        early = release.prerelease or bool(draft.prerelease)
        # Older versions of PyGithub cannot say it: then GitHub takes what was published last for the latest.
        knows = "make_latest" in signature(draft.update_release).parameters
        latest = {"make_latest": "false"} if knows and self._is_of_old_series() else {}
        published = self.client.ask(WRITE, lambda: draft.update_release(title, text, draft=False, prerelease=early, **latest))
        if published.draft:
            raise ReleaseError(f"{release.title} is still a draft", cause="GitHub did not publish it", hint=AGAIN)
        return published

    def _is_of_old_series(self) -> bool:
        """Whether a release of a higher version is published, as the tags tell."""
        own = version_of(self.client.tag)
        every = self.client.ask(READ, lambda: list(self.repository.get_releases()))
        others = filter(None, (version_of(one.tag_name) for one in every if not (one.draft or one.prerelease)))
        return bool(own) and any(Version(other) > Version(own) for other in others)

    def _conflict(self, asset: Asset) -> ReleaseConflict:
        return ReleaseConflict(
            f"the release of {self.client.tag} has {asset.name} with other content",
            cause=f"the archive has {asset.origin or asset.name} with the SHA-256 {asset.sha256}",
            hint="raise the version: dch --increment; or, if nobody may have it yet: "
            f"gh release delete-asset {self.client.tag} {asset.name}",
        )
