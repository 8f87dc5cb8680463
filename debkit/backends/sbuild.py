"""The default backend: sbuild in unshare mode, which needs no privileges; also the one that cross-builds.

Works with sbuild 0.85 (Debian 12) and later. It takes the network away from dpkg-buildpackage by itself in this mode.
"""

from __future__ import annotations

import math
import os
import re
import shlex
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from debkit.backends import _outcome, _vary
from debkit.backends._job import PROXIES, Job, cpus, key_place
from debkit.backends._logs import SIGNS, Watch
from debkit.chroot.namespace import NATIVE, as_root
from debkit.errors import HostError
from debkit.model import USUAL, BuildState, Via
from debkit.run import Command
from debkit.source import read_changes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from debkit.backends._logs import Reading
    from debkit.backends._outcome import Site
    from debkit.config import BuildConfig
    from debkit.console import Progress
    from debkit.model import BuildResult, Chroot, Source, Target, Variation
    from debkit.run import Run
    from debkit.run.lending import Lent

NAME = "sbuild"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/games"  # sbuild's default
BUILD_MODULE = Path("/usr/share/perl5/Sbuild/Build.pm")

# sbuild's boxes and what they are called here; those not named belong to the phase before. Since 0.86 a time stands in the box.
BOX = re.compile(r"^\| (\S.*?) *(?:[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} \+0000)? *\|$")
PHASES = {
    "Pre Build Commands": "update chroot",
    "Chroot Setup Commands": "update chroot",
    "Update chroot": "update chroot",
    "Fetch source files": "fetch source",
    "Install package build dependencies": "install dependencies",
    "Build": "build",
    "Generic Build Failed Commands": "shell",
    "Changes": "collect",
    "Post Build": "collect",
    "Cleanup": "clean up",
}

# To resolve a cross build's dependencies 0.85 copies the machine's own apt solver into the chroot, where it finds no libapt-pkg
# unless both are of one release. The chroot's own, from apt-utils, takes its place.
CROSS_SETUP = "apt-get --quiet update && apt-get --quiet --yes install apt-utils"

# Fail-Stage where the package is at fault. sbuild itself gives some of these back, as if another try could help.
PACKAGE_STAGES = frozenset({"build", "arch-check", "check-architecture", "unpack", "check-unpacked-version", "parse-control"})
RETRY_STAGES = frozenset(
    {"fetch-src", "apt-get-update", "apt-get-upgrade", "apt-get-dist-upgrade", "apt-get-distupgrade", "apt-get-clean"}
)

# Why a build that did not succeed did not. The first that holds counts; when none does, it was the environment.
RULES: tuple[tuple[Callable[[Reading], bool], BuildState], ...] = (
    (lambda log: "stalled" in log.signs, BuildState.TIMED_OUT),
    (lambda log: bool(log.signs & {"disk", "memory"}), BuildState.ENVIRONMENT),
    (lambda log: log.stage == "install-deps" and "fetch" in log.signs, BuildState.GIVEN_BACK),
    (lambda log: log.stage == "install-deps", BuildState.UNINSTALLABLE),
    (lambda log: log.stage in PACKAGE_STAGES or log.status in {"attempted", "skipped"}, BuildState.FAILED),
    (lambda log: log.stage in RETRY_STAGES or log.status == "given-back", BuildState.GIVEN_BACK),
)


def demands() -> tuple[str, ...]:
    """Tell whether this machine's sbuild runs its unshare builds under dumb-init: some do (0.85.8, and Ubuntu 24.04's)."""
    needed = BUILD_MODULE.is_file() and "dumb-init" in BUILD_MODULE.read_text(encoding="utf-8", errors="replace")
    return ("dumb-init",) if needed else ()


def obstacle(*, via: Via, direct: bool, namespaces: bool) -> str:  # noqa: ARG001  # the same for every way and caller
    """Say why sbuild cannot build here, empty when it can."""
    return "" if namespaces else "sbuild's unshare mode needs user namespaces and subordinate ids (debkit doctor --fix)"


def notice(*, direct: bool, namespaces: bool) -> str:  # noqa: ARG001  # there is but one way
    """Say nothing: sbuild always runs the same way."""
    return ""


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
    """Build with sbuild. See `Backend.build`."""
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
    with _outcome.opened(run, job, into, NAME) as site:
        demand_passage(site.work)
        (site.work / "roots").mkdir()
        (site.work / "roots").chmod(0o1777)  # like /tmp: the chroot's own root, a subordinate id, removes it at the end
        root = os.geteuid() == 0 or bool(chroot.toolbox)
        (site.work / "sbuildrc").write_text(settings(job, site, os.environ, root=root), encoding="utf-8")
        words = argv(job, site, read_changes(source.changes).distribution)
        _vary.lay(run, job, site.vary, progress)
        if chroot.toolbox:
            toolbox_place(site).mkdir()
            words = as_root(words, toolbox=chroot.toolbox, at=toolbox_place(site), trace=site.trace)
        command = Command(
            argv=_vary.on_processors(job, words),
            name=NAME,
            env=environment(job, site),
            cwd=site.results,
            timeout=job.timeout,
            pass_fds=job.fds,
            ok=_outcome.ANY_CODE,
            log=site.log,
            keep=False,
        )
        watch = Watch(progress, _Boxes(), "unpack chroot")
        return _outcome.carry_out(run, job, site, command, backend=NAME, watch=watch, judge=judge, signs=SIGNS)


def toolbox_place(site: Site) -> Path:
    """Where the toolbox is bound outside the chroot: the chroot's own root cannot pass to the cache in a private home."""
    return site.work / "native"


def demand_passage(work: Path) -> None:
    """Raise HostError where others cannot pass to `work`: the chroot's root could not either, and the package would be blamed."""
    closed = next((path for path in reversed(work.parents) if not path.stat().st_mode & stat.S_IXOTH), None)
    if closed:
        raise HostError(
            f"sbuild cannot build in {work.parent}",
            cause=f"its chroot's root is another user, and only some may pass through {closed}",
            hint=f"export TMPDIR=/var/tmp\nor: chmod o+x {closed}",
        )


def argv(job: Job, site: Site, distribution: str) -> tuple[str, ...]:
    """Call sbuild: the options of 0.85 and later, each default that a site's configuration could change said outright.

    sbuild writes `distribution` into the .changes: it is to be the source's, as both are merged into one upload.
    """
    native = job.chroot.spec.target.arch
    cross = (f"--host={job.target.arch}", f"--build={native}", f"--chroot-setup-commands={CROSS_SETUP}")
    arches = cross if job.via is Via.CROSS else (f"--arch={job.target.arch}",)
    refresh = (
        ("--no-apt-update", "--no-apt-upgrade", "--no-apt-distupgrade")
        if job.offline
        else ("--apt-update", "--no-apt-upgrade", "--apt-distupgrade")
    )
    extras = [f"--extra-package={deb.absolute()}" for deb in job.config.packages]
    extras += [f"--extra-repository={repository.line}" for repository in job.config.repositories]
    keys = [(number, repository.key) for number, repository in enumerate(job.config.repositories) if repository.key]
    extras += [f"--pre-build-commands={_hand_in(key.absolute(), key_place(number, key))}" for number, key in keys]
    if job.failure_script:
        extras.append(f"--build-failed-commands={shlex.join(('bash', '-c', job.failure_script)).replace('%', '%%')}")
    if prepare := _vary.preparation(job):
        extras.append(f"--pre-build-commands=%SBUILD_CHROOT_EXEC {shlex.join(prepare)}")
    return (
        "sbuild",
        "--chroot-mode=unshare",
        f"--chroot={job.chroot.tarball.absolute()}",
        *arches,
        f"--dist={distribution}",
        "--arch-all" if job.build_all else "--no-arch-all",
        *(("--no-arch-any",) if job.only_all else ()),
        "--no-source",
        f"--build-dir={site.results}",
        f"--build-path={job.build_path}",
        "--build-dep-resolver=apt",
        "--bd-uninstallable-explainer=none",
        *refresh,
        "--no-run-lintian",
        "--no-run-piuparts",
        "--no-run-autopkgtest",
        "--purge=always",
        "--verbose",
        "--nolog",
        *((f"--profiles={','.join(job.profiles)}",) if job.profiles else ()),
        *extras,
        os.fspath(job.source.dsc.absolute()),
    )


def environment(job: Job, site: Site) -> tuple[tuple[str, str], ...]:
    """Give sbuild's own environment.

    HOME is elsewhere, because ~/.sbuildrc and ~/.config/sbuild would change what is built unseen; /etc/sbuild, the machine's own,
    is read.
    """
    return (
        ("HOME", os.fspath(site.work)),
        ("XDG_CONFIG_HOME", os.fspath(site.work)),
        ("SBUILD_CONFIG", os.fspath(site.work / "sbuildrc")),
        ("DEB_BUILD_OPTIONS", job.build_options),
        *job.emulator_env,
    )


def settings(job: Job, site: Site, environ: Mapping[str, str], *, root: bool) -> str:
    """Write what sbuild takes from a configuration file only.

    A setting that 0.85 does not know stands in an eval, since an unknown name is an error there. apt inside the chroot may use
    the caller's proxies; the build itself may not, its tests talk to the loopback only. 0.85 builds under the caller's name: as
    root that would be the chroot's root, and tests that must be refused something would not be.
    """
    build = {name: "" for name in PROXIES if environ.get(name)}
    varied = job.variation != USUAL
    bound = [
        *([(toolbox_place(site), NATIVE)] if job.chroot.toolbox else []),
        *([(site.vary, _vary.PLACE)] if varied else []),
    ]
    binds = ", ".join(f"{{directory => {_perl(os.fspath(outer))}, mountpoint => {_perl(inner)}}}" for outer, inner in bound)
    passed = ("DEB_BUILD_OPTIONS", *dict(job.emulator_env), *build)
    lines = [
        "$chroot_mode = 'unshare';",  # said here too, or Debian 13's sbuild explains schroot at length
        f"$unshare_tmpdir_template = {_perl(f'{site.work}/roots/root.XXXXXXXXXX')};",
        f"$unshare_bind_mounts = [{binds}];",
        *(("$build_user = 'sbuild';",) if root else ()),
        "$mailto = '';",
        f"$stalled_pkg_timeout = {math.ceil(job.config.timeout / 60)};",  # minutes; one limit, told in one place
        "$environment_filter = [" + ", ".join(_perl(f"^{name}$") for name in ("PATH", *passed)) + "];",
        "$build_environment = {" + ", ".join(f"{_perl(name)} => {_perl(value)}" for name, value in build.items()) + "};",
        "eval '$unshare_mmdebstrap_auto_create = 0;';",  # else a tarball it finds old is made anew
        "eval '$enable_network = 0;';",
        *(varied_settings(site) if varied else ()),
        "1;",
    ]
    return "\n".join(lines) + "\n"


def varied_settings(site: Site) -> tuple[str, ...]:
    """Write what puts the variation before dpkg-buildpackage, and sbuild's own `hostname sbuild`, in its namespace, aside."""
    return (f"$build_env_cmnd = {_perl(_vary.START)};", f"$path = {_perl(f'{site.vary / _vary.OUTSIDE}:{PATH}')};")


def judge(code: int, reading: Reading) -> BuildState:
    """Tell how sbuild ended. Its exit code alone does not: 0 is also a skipped package, 3 also an uninstallable one."""
    if code == 0 and reading.status == "successful":
        return BuildState.SUCCEEDED
    return next((state for rule, state in RULES if rule(reading)), BuildState.ENVIRONMENT)


class _Boxes:
    """Finds sbuild's section boxes: a known title below a rule. Remembers one line."""

    def __init__(self) -> None:
        self._ruled = False

    def __call__(self, line: str) -> str | None:
        box = BOX.match(line) if self._ruled else None
        self._ruled = line.startswith("+------------") and not line.strip("+-")
        return PHASES.get(box[1]) if box else None


def _hand_in(key: Path, place: str) -> str:
    """Write the shell command by which sbuild, outside the chroot, copies a key into it.

    --extra-repository-key would do, but 0.85 calls sudo for it when the build's user is not the caller.
    """
    inner = shlex.quote(f"cat >{place} && chmod 644 {place}")
    return f"%SBUILD_CHROOT_EXEC sh -c {inner} <{shlex.quote(os.fspath(key)).replace('%', '%%')}"


def _perl(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
