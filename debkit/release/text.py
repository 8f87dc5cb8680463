"""What a release's text says: what is new, which names were changed, how it is verified, and how apt takes it from there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from debkit.release.assets import SIGNATURE, SUMS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from debkit.release.assets import Asset

# Where debkit's own part begins: what somebody has written above it is left as it is.
MARK = "<!-- debkit -->"


def compose(notes: str, assets: Iterable[Asset], *, signers: tuple[str, ...], apt: str = "") -> str:
    """Write a release's text. `apt` says how apt uses the release as a repository, empty where it cannot."""
    renamed = [asset for asset in assets if asset.renamed]
    parts = [notes.strip(), MARK]
    if apt:
        parts += ["### Install with apt", apt]
    parts += [
        "### Verify",
        f"`{SIGNATURE}` is the signature of `{SUMS}` by {' and '.join(f'`{signer}`' for signer in signers)}:",
        f"```sh\ngpg --verify {SIGNATURE} {SUMS} && sha256sum --check --ignore-missing {SUMS}\n```",
    ]
    if renamed:
        rows = "\n".join(f"| `{asset.name}` | `{asset.origin}` |" for asset in renamed)
        parts += [
            "### Names",
            "An asset's name has no `~` on GitHub. Give a file its name back before a tool reads what else belongs to it:",
            f"| here | in the archive |\n|---|---|\n{rows}",
        ]
    return "\n\n".join(part for part in parts if part) + "\n"


def apt_lines(suite: str, place: str, *, keyring: str, name: str, packages: tuple[str, ...]) -> str:
    """Say what to type, once, so that apt uses a release as a repository; `place` is the URL that its files are below."""
    key, fields = f"/usr/share/keyrings/{keyring}", ("Types: deb", f"URIs: {place}", "Suites: ./")
    lines = (
        f"sudo curl -fsSLo {key} {place}{keyring}",
        f"sudo tee /etc/apt/sources.list.d/{name}-github.sources <<END",
        *fields,
        f"Signed-By: {key}",
        "END",
        f"sudo apt-get update && sudo apt-get install {' '.join(packages)}",
    )
    return "\n".join((f"These are the packages for {suite}.\n", "```sh", *lines, "```"))


def merge(there: str, text: str) -> str:
    """Give a release's new text: what somebody else has written into it stays, debkit's own part is replaced."""
    theirs, mark, _ = there.partition(MARK)
    if mark or not theirs.strip():
        return text
    return f"{theirs.rstrip()}\n\n{text[text.index(MARK) :]}"


def is_ours(text: str) -> bool:
    return MARK in text
