"""Whether root without privileges can be had here: subordinate ids and user namespaces, proven by making one.

What keeps the kernel from it differs by distribution and by container; the first step that fails, and the switches that the
kernel shows, tell which it is.
"""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from debkit.errors import MissingTool, TimeoutFailure
from debkit.host.fact import ANY_CODE, Fact, State, Step, install, write
from debkit.run import Command, find_tool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from debkit.run import Run

IDS = 65536  # what useradd gives to a user
ENOUGH = 65535  # what Debian's own files are numbered with: the last one must not be used (policy 9.2.2)
FIRST_ID = 100000  # SUB_UID_MIN, login.defs(5)
RESERVED_FROM = 1 << 31  # ids above are not safe everywhere
SECONDS = 30.0

# Each asks for more than the one before; the last is what builds use (see debkit.chroot.namespace).
NAMESPACE = ("unshare", "--user")
OWN_ID = (*NAMESPACE, "--map-root-user")
ALL_IDS = (*NAMESPACE, "--map-auto", "--map-root-user")
WHOLE = (*ALL_IDS, "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--ipc", "--uts")

CLONE_SWITCH = Path("proc/sys/kernel/unprivileged_userns_clone")
LIMIT = Path("proc/sys/user/max_user_namespaces")
APPARMOR_SWITCH = Path("proc/sys/kernel/apparmor_restrict_unprivileged_userns")
PROFILE = "debkit-unshare"
PROFILE_SOURCES = (Path(__file__).parents[2] / "config" / "apparmor", Path("/usr/share/debkit/apparmor"))
PROFILE_HOME = Path("etc/apparmor.d")
SOME_NAMESPACES = "10000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why namespaces cannot be had: the reason, what mends it, and what a person may decide on."""

    reason: str
    mend: tuple[Step, ...] = ()
    by_hand: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Range:
    """A line of /etc/subuid or /etc/subgid."""

    owner: str
    first: int
    count: int

    @property
    def last(self) -> int:
        return self.first + self.count - 1


def ladder() -> tuple[tuple[str, ...], ...]:
    return tuple((*argv, "--", "true") for argv in (NAMESPACE, OWN_ID, ALL_IDS, WHOLE))


def find_trouble(run: Run, root: Path) -> Trouble | None:
    """Make a namespace such as builds use; where that fails, find the first step that does, and the reason."""
    *rungs, whole = ladder()
    said = _try(run, whole)
    if not said:
        return None
    for rung in rungs:
        if said_here := _try(run, rung):
            return explain(rung[:-2], said_here, root)
    return explain(WHOLE, said, root)


def explain(rung: tuple[str, ...], said: str, root: Path) -> Trouble:
    """Say why a rung of the ladder fails, from what the kernel shows; `said` is what unshare printed."""
    if switched_off := _switched_off(root):
        return switched_off
    if rung == WHOLE:
        return Trouble(
            reason=f"proc cannot be mounted in one: {said} (a container that hides parts of /proc)",
            by_hand="start the container with --security-opt systempaths=unconfined (podman: --security-opt unmask=ALL)",
        )
    if rung == ALL_IDS:
        return _unmapped(said, root)
    if _status(root, "Seccomp") not in {"", "0"}:
        return Trouble(
            reason=f"a seccomp filter forbids them: {said}",
            by_hand="start the container with --security-opt seccomp=unconfined --security-opt apparmor=unconfined",
        )
    return Trouble(
        reason=f"{said} (as inside a chroot, or in a container without CAP_SYS_ADMIN)",
        by_hand="leave the chroot, or start the container with --cap-add SYS_ADMIN",
    )


def _switched_off(root: Path) -> Trouble | None:
    """Look at the kernel's own switches. Root is above two of them."""
    unprivileged = os.geteuid() != 0
    if unprivileged and read(root / CLONE_SWITCH) == "0":
        return Trouble(reason="kernel.unprivileged_userns_clone is 0", mend=(write(root / CLONE_SWITCH, "1"),))
    if read(root / LIMIT) == "0":
        return Trouble(reason="user.max_user_namespaces is 0", mend=(write(root / LIMIT, SOME_NAMESPACES),))
    if unprivileged and read(root / APPARMOR_SWITCH) not in {"", "0"}:
        return _confined(root)
    return None


def _confined(root: Path) -> Trouble:
    """AppArmor forbids namespaces to programs without a profile. One for unshare is narrower than the switch for the machine."""
    installed = root / PROFILE_HOME / PROFILE
    source = next((home / PROFILE for home in PROFILE_SOURCES if (home / PROFILE).is_file()), PROFILE_SOURCES[-1] / PROFILE)
    steps = [Step(argv=("apparmor_parser", "--replace", os.fspath(installed)))]
    if read(installed) != read(source):
        steps.insert(0, Step(argv=("install", "-m", "644", os.fspath(source), os.fspath(installed))))
    if not find_tool("apparmor_parser"):
        steps[:0] = install("apparmor")
    switch = write(root / APPARMOR_SWITCH, "0").shell(root=False)
    return Trouble(
        reason="kernel.apparmor_restrict_unprivileged_userns is 1 and no AppArmor profile allows them to unshare",
        mend=tuple(steps),
        by_hand=f"{switch} (for every program of the machine)",
    )


def _unmapped(said: str, root: Path) -> Trouble:
    """Say why newuidmap does not map the subordinate ids."""
    tool = find_tool("newuidmap")
    if tool is None:
        return Trouble(reason="newuidmap is not installed", mend=install("uidmap"))
    if "no line matching" in said:
        return Trouble(reason="there are no subordinate ids to map")
    if "not allowed" in said and (mend := tuple(_put_first(root))):
        return Trouble(reason="unshare (util-linux 2.38, 2.39) takes the first line of /etc/subuid for root's", mend=mend)
    return _powerless(tool, said, root)


def _powerless(tool: Path, said: str, root: Path) -> Trouble:
    """Say why newuidmap does not run as root although it is setuid root."""
    if _status(root, "NoNewPrivs") == "1":
        return Trouble(
            reason=f"no_new_privs is set for this process, which makes newuidmap powerless: {said}",
            by_hand="start the container without --security-opt no-new-privileges",
        )
    if os.statvfs(tool).f_flag & os.ST_NOSUID:
        mounted = next(path for path in tool.resolve().parents if path.is_mount())
        return Trouble(
            reason=f"{tool} is on a file system mounted nosuid: {said}", by_hand=f"sudo mount -o remount,suid {mounted}"
        )
    if not tool.stat().st_mode & stat.S_ISUID and "security.capability" not in os.listxattr(tool):
        return Trouble(reason=f"{tool} has lost its setuid bit: {said}", mend=(Step(argv=("chmod", "u+s", os.fspath(tool))),))
    return Trouble(reason=said)


def _put_first(root: Path) -> Iterator[Step]:
    """Move root's own line to the top of subuid and subgid, where it is not: util-linux reads any name as the number 0."""
    for file in (root / "etc/subuid", root / "etc/subgid"):
        ranges = read_ranges(file)
        own = _first(ranges, "root", 0)
        if os.getuid() == 0 and own and own != ranges[0]:
            line = f"{own.owner}:{own.first}:{own.count}"
            yield Step(argv=("sed", "-i", "-e", f"/^{line}$/d", "-e", f"1i {line}", os.fspath(file)))


def namespaces_fact(trouble: Trouble | None) -> Fact:
    """Tell whether user namespaces can be made here."""
    name = "user namespaces"
    if trouble is None:
        return Fact(name=name, state=State.OK, text="made one, with ids, mounts and a /proc of its own")
    text = f"cannot be made: {trouble.reason}"
    return Fact(name=name, state=State.BAD, text=text, mend=trouble.mend, by_hand=trouble.by_hand)


def ids_fact(root: Path) -> Fact:
    """Tell whether the calling user, root included, has subordinate user and group ids enough for a system's own."""
    name, uid = "subordinate ids", os.getuid()
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        text = f"uid {uid} has no name in /etc/passwd, so nothing can be given to it"
        return Fact(name=name, state=State.BAD, text=text, by_hand=f"sudo useradd --uid {uid} --create-home builder")
    files = (root / "etc/subuid", root / "etc/subgid")
    uids, gids = map(read_ranges, files)
    mine = tuple(_first(ranges, user, uid) for ranges in (uids, gids))
    if all(r and r.count >= ENOUGH for r in mine):
        spans = " and ".join(f"{r.first}-{r.last}" for r in dict.fromkeys(mine) if r)
        return Fact(name=name, state=State.OK, text=f"{user} has {spans}")
    lacking = " and ".join(
        f"{r.count if r else 'none'} in /etc/{file}"
        for file, r in zip(("subuid", "subgid"), mine, strict=True)
        if not r or r.count < ENOUGH
    )
    text = f"{user} has {lacking}; {ENOUGH} are needed"
    start, limit = free_ids((*uids, *gids)), mapped_ids(root)
    if start + IDS > limit:
        if uid or limit < IDS:
            text += "; this container is itself given too few ids to share any"
            return Fact(
                name=name,
                state=State.BAD,
                text=text,
                by_hand="give the container more ids (on the machine around it: man subuid)",
            )
        start = 1  # a container's root may pass on all ids that it has but its own
    absent = tuple(os.fspath(file) for file in files if not file.exists())
    touch = (Step(argv=("touch", *absent)),) if absent else ()  # usermod gives no ids where the file is not there
    return Fact(
        name=name, state=State.BAD, text=text, mend=(*touch, *_give_ids(user, mine, range(start, min(start + IDS, limit))))
    )


def _give_ids(user: str, mine: tuple[Range | None, ...], fresh: range) -> tuple[Step, ...]:
    """Give `fresh` ids, and take those that are too small, since the first line that matches counts."""
    give, take = [], []
    for kind, range_ in zip(("subuids", "subgids"), mine, strict=True):
        if range_ and range_.count < ENOUGH:
            take += [f"--del-{kind}", f"{range_.first}-{range_.last}"]
        if not range_ or range_.count < ENOUGH:
            give += [f"--add-{kind}", f"{fresh[0]}-{fresh[-1]}"]
    return tuple(Step(argv=("usermod", *options, user)) for options in (take, give) if options)


def read_ranges(path: Path) -> tuple[Range, ...]:
    """Read subuid(5) or subgid(5); a missing file is an empty one, and lines that are none are passed over as newuidmap does."""
    fields = (line.split(":") for line in read(path).splitlines())
    return tuple(Range(f[0], int(f[1]), int(f[2])) for f in fields if len(f) == 3 and f[1].isdigit() and f[2].isdigit())  # noqa: PLR2004


def free_ids(taken: tuple[Range, ...]) -> int:
    """Find the first id above all that are given to anybody."""
    return max((FIRST_ID, *(r.last + 1 for r in taken if r.last < RESERVED_FROM)))


def mapped_ids(root: Path) -> int:
    """Say how many ids there are from 0 on in the namespace we are in: all of them, but in an unprivileged container."""
    maps = (line.split() for line in read(root / "proc/self/uid_map").splitlines())
    return max((int(first) + int(count) for first, _, count in maps), default=1 << 32)


def read(path: Path) -> str:
    """Read a small file, as empty when it is not there or not ours to read."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _first(ranges: tuple[Range, ...], user: str, uid: int) -> Range | None:
    return next((r for r in ranges if r.owner in {user, str(uid)}), None)


def _status(root: Path, key: str) -> str:
    lines = read(root / "proc/self/status").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(f"{key}:")), "")


def _try(run: Run, argv: tuple[str, ...]) -> str:
    """Run a command; say what went wrong, or nothing."""
    try:
        done = run(Command(argv=argv, ok=ANY_CODE, timeout=SECONDS))
    except (MissingTool, TimeoutFailure) as problem:
        return problem.what
    said = next((line.strip() for line in reversed(done.tail) if line.strip()), f"unshare exited with {done.code}")
    return said if done.code else ""
