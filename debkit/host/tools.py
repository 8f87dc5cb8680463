"""The programs, Python modules and keyrings that debkit needs: there, and new enough.

The versions are those of the Depends in packaging/debian/control; a test holds the two together.
"""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from debian.debian_support import Version

from debkit.errors import MissingTool, TimeoutFailure
from debkit.host.fact import ANY_CODE, Fact, State, install
from debkit.run import Command, find_tool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from debkit.run import Run


@dataclass(frozen=True, slots=True)
class Tool:
    """A program, the Debian package that has it, and the oldest version of that package that will do."""

    program: str
    package: str
    oldest: str = ""

    @property
    def dependency(self) -> str:
        return f"{self.package} (>= {self.oldest})" if self.oldest else self.package


TOOLS = (
    Tool("sbuild", "sbuild", "0.85"),  # the first whose unshare mode takes a tarball by its path
    Tool("mmdebstrap", "mmdebstrap", "1.3"),
    Tool("arch-test", "arch-test"),
    Tool("unshare", "util-linux", "2.38"),  # --map-auto
    Tool("mount", "mount"),
    Tool("newuidmap", "uidmap"),
    Tool("ip", "iproute2"),
    Tool("dpkg-source", "dpkg-dev"),
    Tool("dh", "debhelper"),
    Tool("debsign", "devscripts"),
    Tool("gpg", "gnupg"),
    Tool("reprepro", "reprepro", "5.3"),
    Tool("git", "git"),
    Tool("gbp", "git-buildpackage"),
    Tool("pristine-tar", "pristine-tar"),  # gbp only recommends it
    Tool("zstd", "zstd"),
)
MODULES = {
    "apt_pkg": "python3-apt",
    "click": "python3-click",
    "debian": "python3-debian",
    "distro_info": "python3-distro-info",
    "elftools": "python3-pyelftools",
    "github": "python3-github",
    "gnupg": "python3-gnupg",
    "jinja2": "python3-jinja2",
    "jsonschema": "python3-jsonschema",
    "pexpect": "python3-pexpect",
    "requests": "python3-requests",
    "rich": "python3-rich",
    "urllib3": "python3-urllib3",
}
KEYRINGS = ("debian-archive-keyring.pgp", "debian-archive-keyring.gpg")
KEYRING_PACKAGE = "debian-archive-keyring"
OF_THE_SYSTEM = (Path("/usr/bin"), Path("/usr/sbin"), Path("/bin"), Path("/sbin"))
# Prints each module that does not import, and why.
IMPORTS = """
import importlib, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except Exception as problem:
        print(name, problem)
"""


def tool_facts(run: Run, backend: str) -> Iterator[Fact]:
    """Tell of each program where it is, and of its package whether it is new enough.

    A backend's program has its name, and so has its package.
    """
    tools = TOOLS if backend in {tool.program for tool in TOOLS} else (*TOOLS, Tool(backend, backend))
    versions = installed_versions(run, tuple(tool.package for tool in tools))
    for tool in tools:
        path, version = find_tool(tool.program), versions.get(tool.package, "")
        mend = install(tool.dependency)
        if path is None:
            yield Fact(name=tool.program, state=State.BAD, text="is not installed", mend=mend)
        elif path.parent not in OF_THE_SYSTEM:
            text = f"{path} stands before Debian's; its version is not known"
            yield Fact(
                name=tool.program, state=State.WARN, text=text, by_hand=f"export PATH=/usr/bin:$PATH  # less {path.parent}"
            )
        elif tool.oldest and version and Version(version) < Version(tool.oldest):
            text = f"{version} is too old: {tool.oldest} is needed"
            yield Fact(name=tool.program, state=State.BAD, text=text, mend=mend)
        else:
            yield Fact(name=tool.program, state=State.OK, text=f"{version or '(no Debian package)'} in {path}")


def installed_versions(run: Run, packages: tuple[str, ...]) -> dict[str, str]:
    """Ask dpkg for the versions of those packages that are installed."""
    form = "${db:Status-Status} ${Package} ${Version}\n"
    done = run(Command(argv=("dpkg-query", "--show", f"--showformat={form}", *packages), ok=frozenset({0, 1}), separate=True))
    lines = (line.split() for line in done.stdout.splitlines())
    return {words[1]: words[2] for words in lines if words[0] == "installed" and len(words) == 3}  # noqa: PLR2004


def python_fact(run: Run) -> Fact:
    """Tell whether the modules that debkit uses import in the Python that it runs in."""
    version = platform.python_version()
    try:
        done = run(Command(argv=(sys.executable, "-c", IMPORTS, *MODULES), ok=ANY_CODE, timeout=60))
    except (MissingTool, TimeoutFailure) as problem:
        return Fact(name="python", state=State.BAD, text=problem.what)
    broken = {line.partition(" ")[0]: line.partition(" ")[2] for line in done.stdout.splitlines()}
    if done.code == 0 and not broken:
        return Fact(name="python", state=State.OK, text=f"{version} in {sys.executable} imports all of {len(MODULES)} modules")
    missing = {name: why for name, why in broken.items() if name in MODULES} or {"python3": "\n".join(done.tail[-1:])}
    text = f"{version} in {sys.executable}: " + "; ".join(f"{name} does not import ({why})" for name, why in missing.items())
    if Path(sys.executable).resolve().parent != Path("/usr/bin"):
        return Fact(
            name="python", state=State.BAD, text=text, by_hand=f"/usr/bin/python3 -m debkit {' '.join(sys.argv[1:])}".strip()
        )
    return Fact(name="python", state=State.BAD, text=text, mend=install(*(MODULES.get(name, name) for name in missing)))


def keyring_fact(root: Path) -> Fact:
    """Tell whether Debian's archive keys are there, without which no chroot of Debian can be made."""
    found = next((path for name in KEYRINGS if (path := root / "usr/share/keyrings" / name).is_file()), None)
    if found:
        return Fact(name=KEYRING_PACKAGE, state=State.OK, text=str(found))
    text = "Debian's archive keys are not installed"
    return Fact(name=KEYRING_PACKAGE, state=State.BAD, text=text, mend=install(KEYRING_PACKAGE))
