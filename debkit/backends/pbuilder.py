"""The second backend: pbuilder, in our user namespace like everything else.

pbuilder wants to be root, to unpack a tarball, to make device files and to mount sysfs. As root of a user namespace it is refused
the last two, so the chroot is unpacked and furnished before (`furnish`), and pbuilder is told that it stands (`--no-targz`).
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from debkit.backends import _outcome, _vary
from debkit.backends._job import Job, cpus, key_place
from debkit.backends._logs import SIGNS as MACHINE_SIGNS
from debkit.backends._logs import Watch
from debkit.chroot.namespace import as_root, unpack
from debkit.model import USUAL, BuildState, Via
from debkit.run import Command, require_tool

if TYPE_CHECKING:
    from debkit.backends._logs import Reading
    from debkit.backends._outcome import Site
    from debkit.config import BuildConfig
    from debkit.console import Progress
    from debkit.model import BuildResult, Chroot, Source, Target, Variation
    from debkit.run import Run
    from debkit.run.lending import Lent

NAME = "pbuilder"
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"  # pbuilder's own
FURNISH = Path(__file__).with_name("furnish")
EXTRA_PACKAGES = "/var/lib/debkit/packages"

HEADINGS = (
    (re.compile(r"^I: user script \S+/D10update starting"), "update chroot"),
    (re.compile(r"^I: Copying source file"), "fetch source"),
    (re.compile(r"^I: -> Attempting to satisfy build-dependencies"), "install dependencies"),
    (re.compile(r"^I: Building the package"), "build"),
    (re.compile(r"^I: user script \S+/[BC]90space starting"), "collect"),
    (re.compile(r"^I: user script \S+/C95shell starting"), "shell"),
    (re.compile(r"^I: unmounting "), "clean up"),
)

SIGNS = {
    **MACHINE_SIGNS,
    "package": re.compile(r"^E: (Failed autobuilding of package|pbuilder: Failed extracting the source)"),
    "dependencies": re.compile(r"^E: pbuilder-satisfydepends failed"),
    "network": re.compile(r"^I: pbuilder: network access is available during build"),
}

# Why a build that did not succeed did not: the first of these signs counts; without one it was the environment.
RULES = (
    ("disk", BuildState.ENVIRONMENT),
    ("memory", BuildState.ENVIRONMENT),
    ("package", BuildState.FAILED),
    ("fetch", BuildState.GIVEN_BACK),
    ("dependencies", BuildState.UNINSTALLABLE),
)


def demands() -> tuple[str, ...]:
    """Demand nothing: pbuilder installs the build dependencies alone."""
    return ()


def obstacle(*, via: Via, direct: bool, namespaces: bool) -> str:
    """Say why pbuilder cannot build here, empty when it can."""
    if via is Via.CROSS:
        return 'cross builds are sbuild\'s: set backend = "sbuild"'
    if not namespaces and not direct:
        return "pbuilder needs user namespaces and subordinate ids (debkit doctor --fix)"
    return ""


def notice(*, direct: bool, namespaces: bool) -> str:
    """Say when pbuilder is not confined to a user namespace."""
    return "pbuilder runs as root itself: no user namespaces here" if direct and not namespaces else ""


def build(
    run: Run,
    *,
    source: Source,
    target: Target,
    via: Via,
    chroot: Chroot,
    into: Path,
    config: BuildConfig,
    build_all: bool,
    progress: Progress,
    variation: Variation = USUAL,
    shell: Lent | None = None,
) -> BuildResult:
    """Build with pbuilder. See `Backend.build`."""
    job = Job(
        source=source,
        target=target,
        via=via,
        chroot=chroot,
        config=config,
        build_all=build_all,
        cpus=variation.processors or cpus(),
        variation=variation,
        shell=shell,
    )
    require_tool(NAME)  # what is started first is unshare
    with _outcome.opened(run, job, into, NAME) as site:
        watch = Watch(progress, heading, "unpack chroot")
        root = site.work / "root"
        root.mkdir()
        unpack(run, chroot.tarball, root)
        _vary.lay(run, job, site.vary, progress)
        lay_out(job, site)
        watch.enter("set up chroot")
        command = Command(
            argv=_vary.on_processors(job, argv(job, site)),
            env=environment(job, site),
            timeout=job.timeout,
            pass_fds=job.fds,
            ok=_outcome.ANY_CODE,
            log=site.log,
            keep=False,
        )
        return _outcome.carry_out(run, job, site, command, backend=NAME, watch=watch, judge=judge, signs=SIGNS)


def argv(job: Job, site: Site) -> tuple[str, ...]:
    """Call pbuilder as root of a user namespace, its chroot furnished."""
    toolbox = job.chroot.toolbox
    inner = as_root(
        (
            *_vary.named(job),
            os.fspath(FURNISH),
            os.fspath(site.work / "root"),
            os.fspath(toolbox.path) if toolbox else "",
            "pbuilder",
            "build",
            "--no-targz",
            *(() if job.build_all else ("--binary-arch",)),
            *(("--binary-indep",) if job.only_all else ()),
            *(("--profiles", ",".join(job.profiles)) if job.profiles else ()),
            os.fspath(job.source.dsc.absolute()),
        )
    )
    return as_root(inner, toolbox=toolbox, trace=site.trace) if toolbox else inner


def environment(job: Job, site: Site) -> tuple[tuple[str, str], ...]:
    """Give pbuilder's environment: HOME and the directory of its configuration are ours, so that no other pbuilderrc is read."""
    conf = os.fspath(site.work / "conf")
    return (
        ("HOME", conf),
        ("PBUILDER_SYSCONFDIR", conf),
        ("TERM", "dumb"),  # or its messages are coloured and not found again
        ("DEB_BUILD_OPTIONS", job.build_options),
        *job.emulator_env,
    )


def settings(job: Job, site: Site) -> str:
    """Write the pbuilderrc, which stands in for the machine's own."""
    values = {
        "BUILDPLACE": os.fspath(site.work / "root"),
        "BUILDRESULT": os.fspath(site.results),
        "BUILDRESULTUID": "0",  # the caller, seen from the user namespace
        "BUILDRESULTGID": "0",
        "BUILDDIR": job.build_path,
        "HOOKDIR": os.fspath(site.work / "hooks"),
        "USESYSFS": "no",
        "USECGROUP": "no",
        "USENETWORK": "no",
        "USECOLORS": "no",
        "APTCACHE": "",
        "CONFDIR": "",
        "SOURCE_ONLY_CHANGES": "no",
        "PBUILDERSATISFYDEPENDSCMD": "/usr/lib/pbuilder/pbuilder-satisfydepends-apt",
        **({"PATH": f"{_vary.PLACE}/{_vary.INSIDE}:{PATH}"} if job.variation != USUAL else {}),
        "DEBBUILDOPTS": "--sanitize-env" + (" -b" if job.build_all and not job.only_all else ""),
    }
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())


def lay_out(job: Job, site: Site) -> None:
    """Write pbuilder's configuration and hooks, and give the chroot what it takes extra packages from.

    The chroot's root is the caller seen from outside, so its files can be written directly.
    """
    for name in ("conf", "hooks"):
        (site.work / name).mkdir()
    (site.work / "conf/pbuilderrc").write_text(settings(job, site), encoding="utf-8")
    (site.work / "conf/.pbuilderrc").touch()
    for name, text in hooks(job).items():
        path = site.work / "hooks" / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
    root = site.work / "root"
    if site.vary.exists():
        shutil.copytree(site.vary, root / _vary.PLACE.lstrip("/"))
    if job.config.packages:
        (root / EXTRA_PACKAGES.lstrip("/")).mkdir(parents=True)
    for deb in job.config.packages:
        _readable(Path(shutil.copyfile(deb, root / EXTRA_PACKAGES.lstrip("/") / deb.name)))
    if lines := extra_sources(job):
        entries = root / "etc/apt/sources.list.d/debkit-extra.list"
        entries.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        _readable(entries)
    for number, repository in enumerate(job.config.repositories):
        if repository.key:
            _readable(Path(shutil.copyfile(repository.key, root / key_place(number, repository.key).lstrip("/"))))


def _readable(path: Path) -> None:
    """Let everybody in the chroot read a file, whatever the caller's umask: apt downloads as a user of its own."""
    path.parent.chmod(0o755)
    path.chmod(0o644)


def extra_sources(job: Job) -> tuple[str, ...]:
    """Give the sources entries of the extra repositories and packages."""
    local = (f"deb [trusted=yes] file:{EXTRA_PACKAGES} ./",) if job.config.packages else ()
    return (*(repository.line for repository in job.config.repositories), *local)


def hooks(job: Job) -> dict[str, str]:
    """Write the hooks: D before the build dependencies are installed, A before the build, B and C after a good and a bad one."""
    space = '#!/bin/sh\necho "Space: $(du -sk "$BUILDDIR" | cut -f1)"\n'
    update = [
        "#!/bin/sh",
        "set -e",
        *((f"cd {EXTRA_PACKAGES}", "dpkg-scanpackages -m . >Packages") if job.config.packages else ()),
        "apt-get -q update",
        "apt-get -q -y dist-upgrade",
    ]
    prepare = _vary.preparation(job)
    varied = {"A10vary": f"#!/bin/sh\nexec {shlex.join(prepare)}\n"} if prepare else {}
    shell = {"C95shell": f"#!/bin/bash\n{job.failure_script}\n"} if job.failure_script else {}
    return {
        **varied,
        **shell,
        "B90space": space,
        "C90space": space,
        **({} if job.offline else {"D10update": "\n".join(update) + "\n"}),
    }


def judge(code: int, reading: Reading) -> BuildState:
    """Tell how pbuilder ended; its exit code is 1 for nearly everything."""
    if "network" in reading.signs:
        return BuildState.ENVIRONMENT  # it could not make a network namespace, and builds all the same
    if code == 0:
        return BuildState.SUCCEEDED
    return next((state for sign, state in RULES if sign in reading.signs), BuildState.ENVIRONMENT)


def heading(line: str) -> str | None:
    """Give the phase that a line of pbuilder's output begins."""
    return next((phase for pattern, phase in HEADINGS if pattern.match(line)), None)
