"""What every check does with what it finds: accept what the configuration has a reason for, write it down, and count it."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from debkit.model import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from debkit.config import Suppression


def accept(findings: Iterable[Finding], configured: tuple[Suppression, ...]) -> tuple[Finding, ...]:
    """Mark what the configuration accepts with its reason."""
    told = []
    for finding in findings:
        found = next((each for each in configured if covers(each, finding)), None)
        told.append(replace(finding, accepted=found.reason) if found and not finding.accepted else finding)
    return tuple(told)


def unused(
    configured: tuple[Suppression, ...], findings: tuple[Finding, ...], *, packages: Collection[str], text: str
) -> tuple[Finding, ...]:
    """Tell of entries that nothing called for, unless they are for a package that is none of those judged."""
    return tuple(
        Finding(severity=Severity.INFO, tag=each.tag, package=each.package, text=f"{each.what}: {text}" if each.what else text)
        for each in configured
        if not any(covers(each, finding) for finding in findings) and (not each.package or each.package in packages)
    )


def covers(entry: Suppression, finding: Finding) -> bool:
    """Whether an entry of the configuration is for a finding: by its tag, its package, and what its text begins with."""
    return (
        entry.tag == finding.tag
        and entry.package in {"", finding.package.partition(" ")[0]}
        and (not entry.what or fnmatchcase(finding.text.partition(": ")[0], entry.what))
    )


def line(finding: Finding) -> str:
    """Write a finding as lintian does for people; O is an overridden or accepted one."""
    letter = "O" if finding.accepted else finding.severity.value[0].upper()
    words = (f"{letter}: {finding.package}:", finding.tag, finding.text, f"({finding.accepted})" if finding.accepted else "")
    return " ".join(word for word in words if word)


def summary(blamed: list[Finding]) -> str:
    """Say how much is wrong, and the first of it."""
    if not blamed:
        return ""
    count = f"{len(blamed)} findings, the first" if len(blamed) > 1 else "1 finding"
    return f"{count}: {blamed[0].package}: {blamed[0].tag} {blamed[0].text}".strip()
