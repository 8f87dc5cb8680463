"""Write docs/reference/ and the README's version, which say what the code says: `/usr/bin/python3 -m docs.generate`.

With --check nothing is written, and any difference is an error. With --completions DIRECTORY the shells' completions are written.
What is written is in git, so that it can be read, and its changes reviewed, where the rest of the documentation is.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from click.shell_completion import get_completion_class

import debkit
from debkit.cli import debkit_command
from docs import commands, schemas

TOP = Path(__file__).parents[1]
COMPLETIONS = {"bash": "debkit.bash", "zsh": "_debkit", "fish": "debkit.fish"}
MENDS = "/usr/bin/python3 -m docs.generate"


def reference() -> dict[Path, str]:
    """Give all that is generated, by file."""
    pages = {**commands.pages(TOP / "docs/environment.md"), **schemas.pages()}
    return {TOP / "docs/reference" / f"{name}.md": text for name, text in pages.items()}


def with_version(readme: str) -> str:
    """Put debkit's version, that of the changelog's newest entry, into the README's line for it."""
    return re.sub(r"(?m)^Version .*\.$", f"Version {debkit.__version__}.", readme, count=1)


def drift() -> list[Path]:
    """List the files of docs/reference/ that are not what the code says, or are there for nothing."""
    wanted = reference()
    there = {path: path.read_text(encoding="utf-8") for path in (TOP / "docs/reference").iterdir()}
    return sorted(path for path in wanted.keys() | there.keys() if wanted.get(path) != there.get(path))


def write() -> None:
    wanted = reference()
    for path in drift():
        if path in wanted:
            path.write_text(wanted[path], encoding="utf-8")
        else:
            path.unlink()
    readme = TOP / "README.md"
    readme.write_text(with_version(readme.read_text(encoding="utf-8")), encoding="utf-8")


def check() -> None:
    """End with an error that names each file which has drifted from the code, and the command that mends it."""
    drifted = drift()
    readme = TOP / "README.md"
    text = readme.read_text(encoding="utf-8")
    if f"\nVersion {debkit.__version__}.\n" not in text:
        drifted.append(readme)
    if drifted:
        names = "\n".join(f"  {path.relative_to(TOP)}" for path in drifted)
        sys.exit(f"error: the documentation does not say what the code says:\n{names}\n  next: {MENDS}")


def complete(into: Path) -> None:
    """Write one completion a shell into a directory."""
    into.mkdir(parents=True, exist_ok=True)
    for shell, name in COMPLETIONS.items():
        completion = get_completion_class(shell)
        assert completion is not None
        text = completion(debkit_command, {}, "debkit", "_DEBKIT_COMPLETE").source()
        (into / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog=MENDS, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--completions", type=Path, metavar="DIRECTORY")
    asked = parser.parse_args()
    if asked.completions:
        complete(asked.completions)
    elif asked.check:
        check()
    else:
        write()
