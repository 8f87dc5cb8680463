"""What a person must know and do once the files are written."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from debkit.project.action import WORKFLOW
from debkit.source.ours import MARK
from debkit.source.tags import forms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from debkit.config import Config
    from debkit.project.action import Action
    from debkit.project.draft import Draft
    from debkit.project.facts import Facts


def doubts(facts: Facts, config: Config, *, action: Action, kept: tuple[str, ...]) -> Iterator[str]:
    """Tell what keeps a pushed tag from doing what it should."""
    workflow = (facts.path / WORKFLOW).read_text(encoding="utf-8", errors="replace") if WORKFLOW in kept else None
    if facts.git is None:
        yield "this is no git repository, so there is no tag to push: git init"
    elif facts.git != facts.path.resolve():
        yield from _as_a_part(facts)
    if facts.git and not facts.repository:
        yield "git has no remote origin on GitHub, so [archive] url is left open"
    if workflow is not None and MARK not in workflow:
        yield f"{WORKFLOW} is not debkit's: nothing is released until a job of it uses {action.workflow}"
    elif workflow is not None:
        for names in (config.build.suites, config.build.arches):
            if (said := json.dumps(names)) not in workflow:
                yield f"{WORKFLOW} does not build what [build] in config/debkit.toml has, {said}: change it by hand"
    elif not action.pinned:
        yield f"{action} is no commit but a name that can be moved to another one: --action OWNER/NAME@COMMIT"
    if facts.has_orig and not facts.orig_from_git:
        yield (
            f"no {facts.packaging}/gbp.conf tells how the upstream tarball is made from git: a clone, which has none beside it, "
            "gets one only while the suite's archive has this upstream version"
        )


def _as_a_part(facts: Facts) -> Iterator[str]:
    yield f"GitHub reads workflows at the top of the repository only, which is {facts.git}"
    conf = f"{facts.packaging}/gbp.conf"
    if not forms(facts.path / conf, top=False):
        yield f"no tag names a version of this part of the repository, until debian-tag in its {conf} says which ones are its own"


def steps(facts: Facts, drafts: tuple[Draft, ...]) -> Iterator[str]:
    """Tell the way from here to the first release."""
    where = facts.repository or "OWNER/NAME"
    yield "debkit key init --no-passphrase        # a job has nobody to type one; then name the key in the two files, as it says"
    yield f"https://github.com/{where}/settings/environments: make the environment release, to be used by tags only"
    yield f"debkit key export --secret | gh secret set DEBKIT_ARCHIVE_KEY --repo {where}"
    if drafts:
        yield f"git add {shlex.join(draft.name for draft in drafts)} && git commit -m 'Release with debkit'"
    yield f"git tag {tag(facts)} && git push origin HEAD {tag(facts)}"
    yield f"https://github.com/{where}/settings/pages: deploy from the branch gh-pages, once the first release has made it"
    yield "make -f debkit.mk build       # the same on this machine"


def tag(facts: Facts) -> str:
    """Name the tag of the newest changelog entry, with revision as DEP-14 has it."""
    version = facts.version.replace("~", "_").replace(":", "%")
    return f"debian/{version}" if facts.has_orig else f"v{version}"
