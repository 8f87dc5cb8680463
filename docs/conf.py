"""Sphinx's settings for the manual and the man pages. They are built by `make docs` and by the package build."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent))

import debkit  # noqa: E402

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def _version() -> str:
    """Give the version that a build of this checkout has. Where there is no git, as in a package build, the changelog has it."""
    top = DOCS.parent
    if not (top / ".git").exists():
        return debkit.__version__
    from debkit.config import load  # noqa: PLC0415 (a package build has no need of what these need)
    from debkit.errors import SourceError  # noqa: PLC0415
    from debkit.run import Processes  # noqa: PLC0415
    from debkit.source import describe  # noqa: PLC0415

    config = load(top)
    try:
        draft = describe(Processes(), f"{top}", suite=config.build.suites[0], config=config, staging=config.dist / "source")
    except SourceError:  # such as that of a shallow clone
        return debkit.__version__
    return draft.version if draft else debkit.__version__


project = "debkit"
author = "debkit contributors"
version = release = _version()
extensions = ["myst_parser"]
# Anchors as GitHub makes them, so that a link to a heading works there too.
myst_heading_anchors = 3
smartquotes = False
exclude_patterns = ["environment.md"]  # the page of debkit has it

html_theme = "alabaster"
html_static_path = ["_static"]
html_theme_options = {
    "description": release,
    "show_powered_by": False,
    "fixed_sidebar": True,
    "page_width": "70rem",
    "font_size": "1rem",
}
html_sidebars = {"**": ["about.html", "navigation.html", "searchbox.html"]}
html_show_copyright = False
html_show_sphinx = False
html_show_sourcelink = False
html_copy_source = False
html_use_index = False
html_domain_indices = False


def _man_page(page: Path) -> tuple[str, str, str, str, int]:
    """Give a page of the reference as man_pages wants it; its first paragraph is what apropos(1) says."""
    about = page.read_text(encoding="utf-8").split("\n\n")[2]
    return f"reference/{page.stem}", page.stem, re.sub(r"\s+", " ", about).rstrip("."), "", 5 if page.suffixes[:-1] else 1


man_pages = [_man_page(page) for page in sorted((DOCS / "reference").glob("debkit*.md"))]


class AsManPage(SphinxPostTransform):
    """Give a page the looks of a man page: options hang, and what NAME says is not said again.

    Markdown that GitHub shows has no such lists: what is a list of "`--option`: meaning" there becomes one here.
    """

    default_priority = 900
    builders = ("man",)

    def run(self, **_: object) -> None:
        for listed in list(self.document.findall(nodes.bullet_list)):
            items = [_hung(item) for item in listed.children]
            if all(items):
                listed.replace_self(nodes.definition_list("", *(item for item in items if item)))
        for page in list(self.document.findall(nodes.section)):
            if isinstance(page.parent, nodes.document) or "docname" in page.parent:
                first = page.next_node(nodes.paragraph)
                if first is not None and first.parent is page:
                    page.remove(first)


def _hung(item: nodes.Node) -> nodes.definition_list_item | None:
    """Split a list's item at its first colon, or give None where it has none."""
    paragraph = item.children[0]
    for number, part in enumerate(paragraph.children):
        before, colon, after = part.astext().partition(": ")
        if isinstance(part, nodes.Text) and colon:
            term = nodes.term("", "", *paragraph.children[:number], nodes.Text(before))
            meaning = nodes.paragraph("", "", nodes.Text(after), *paragraph.children[number + 1 :])
            return nodes.definition_list_item("", term, nodes.definition("", meaning))
    return None


def setup(app: Sphinx) -> None:
    app.add_post_transform(AsManPage)
