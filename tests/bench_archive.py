"""Measure publishing at scale: `make bench-archive`. debkit, reprepro, aptly and apt-ftparchive take in the same packages.

Each makes a signed index of amd64, arm64 and sources with no Contents, in turn on one machine. Memory is that of the whole tree
of processes. BENCH_PACKAGES names how many packages, such as "100 1000"; BENCH_ROUNDS how often each is measured (else what takes
a second more often than what takes minutes), of which the quickest counts. Exits with 1 when a goal is missed.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.bulk import make_uploads, package_names
from tests.gnupg_homes import gnupg_home, make_key
from tests.measure import Cost, cost_of

CHECKOUT = Path(__file__).parents[1]
COUNTS = tuple(map(int, os.environ.get("BENCH_PACKAGES", "100 1000 10000").split()))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "0"))
MANY, FEW, SOON = 8, 2, 1000  # rounds: many of what is over soon, which has fewer than so many packages
# debkit's seconds ÷ reprepro's. Of a hundred packages' much is what debkit takes for any number: Python, the keys, the proof of
# what was signed and the front page, a third of a second in all.
BATCH_GOAL = 1.1
ONE_GOAL, ONE_AT = 0.5, 10000  # debkit's seconds ÷ aptly's, for one more package, once the archive has so many
DISTRIBUTION = """\
Codename: trixie
Origin: bench
Label: bench
Description: small packages
Architectures: amd64 arm64 source
Components: main
AlsoAcceptFor: UNRELEASED unstable
Tracking: minimal includechanges includebuildinfos
Uploaders: uploaders
"""
INCOMING = """\
Name: bench
IncomingDir: {incoming}
TempDir: {temporary}
Allow: unstable>trixie
"""
APTLY = '{{"rootDir": "{root}", "architectures": ["amd64", "arm64", "source"]}}'
APTLY_PUBLISH = "-batch -gpg-key=$KEY -skip-contents"
# With a cache of what was read, as its manual advises for all but the smallest archives.
FTPARCHIVE = """
for arch in amd64 arm64; do
  apt-ftparchive -q --arch $arch --db cache-$arch packages pool >dists/trixie/main/binary-$arch/Packages
  gzip -9kf dists/trixie/main/binary-$arch/Packages
done
apt-ftparchive -q sources pool | gzip -9 >dists/trixie/main/source/Sources.gz
rm -f dists/trixie/Release dists/trixie/InRelease dists/trixie/Release.gpg
apt-ftparchive -q -o APT::FTPArchive::Release::Codename=trixie release dists/trixie >Release.new
mv Release.new dists/trixie/Release
gpg --batch --local-user $KEY --output dists/trixie/InRelease --clearsign dists/trixie/Release
gpg --batch --local-user $KEY --armor --output dists/trixie/Release.gpg --detach-sign dists/trixie/Release
"""


@dataclass(frozen=True, slots=True)
class Tool:
    """How one archive tool takes packages in: shell scripts, run in `place`.

    `batch` has all uploads in the directory UPLOADS; `one` has the stem of the one upload's files in ONE.
    """

    name: str
    place: Path
    batch: str
    one: str


def debkit(place: Path, key: str, uploads: Path) -> Tool:
    (place / "config").mkdir(parents=True)
    (place / "config/debkit.toml").write_text(f'[keys]\nupload = "{key}"\n')
    _configure(place / "repo", key, "")
    add = f'"{sys.executable}" -m debkit -C "{place}" repo add'
    return Tool("debkit", place, f"cd {uploads} && {add} *.changes", f'{add} "$ONE.changes"')


def reprepro(place: Path, key: str, uploads: Path) -> Tool:
    """The same signed .changes; processincoming, which exports once, is the quickest that reprepro has for many."""
    _configure(place, key, f"SignWith: {key}\n")
    for directory in ("incoming", "temporary"):
        (place / directory).mkdir()
    for file in uploads.iterdir():  # it removes what it has taken in
        os.link(file, place / "incoming" / file.name)
    (place / "conf/incoming").write_text(INCOMING.format(incoming=place / "incoming", temporary=place / "temporary"))
    return Tool("reprepro", place, "reprepro processincoming bench", 'reprepro include trixie "$ONE.changes"')


def aptly(place: Path, key: str, uploads: Path) -> Tool:
    """The packages and sources alone: it looks at no .changes."""
    place.mkdir()
    (place / "aptly.conf").write_text(APTLY.format(root=place / "root"))
    call, publish = f"aptly -config={place}/aptly.conf", APTLY_PUBLISH.replace("$KEY", key)
    batch = (
        f"{call} repo create -distribution=trixie -component=main bench\n{call} repo add bench {uploads}\n"
        f"{call} publish repo {publish} -acquire-by-hash bench"
    )
    return Tool("aptly", place, batch, f'{call} repo add bench "$ONE.deb" "$DSC"\n{call} publish update {publish} trixie')


def ftparchive(place: Path, key: str, uploads: Path) -> Tool:
    """The packages and sources alone, and no check of anything."""
    for directory in ("pool", "dists/trixie/main/binary-amd64", "dists/trixie/main/binary-arm64", "dists/trixie/main/source"):
        (place / directory).mkdir(parents=True)
    script = FTPARCHIVE.replace("$KEY", key)
    copy = f"find {uploads} -not -name '*.changes' -type f -exec cp -t pool {{}} +"
    return Tool("apt-ftparchive", place, copy + script, 'cp -t pool "$ONE.deb" "$DSC" "${DSC%.dsc}.tar.gz"' + script)


TOOLS = (debkit, reprepro, aptly, ftparchive)


def _configure(base: Path, key: str, sign: str) -> None:
    (base / "conf").mkdir(parents=True)
    (base / "conf/distributions").write_text(DISTRIBUTION + sign)
    (base / "conf/uploaders").write_text(f"allow * by key {key[-16:]}+\n")


def measure(work: Path, count: int, home: Path, key: str) -> tuple[dict[str, Cost], dict[str, Cost]]:
    """Give what each tool needs for `count` packages at once, and then for one more: the quickest of the rounds."""
    uploads, more = work / "uploads", work / "more"
    rounds = ROUNDS or (MANY if count < SOON else FEW)
    started = time.monotonic()
    make_uploads(uploads, package_names(count), home=home, key=key)
    extra = make_uploads(more, package_names(rounds, prefix="more"), home=home, key=key)
    print(f"({count} uploads made in {time.monotonic() - started:.1f} s)", flush=True)
    batches: dict[str, Cost] = {}
    ones: dict[str, Cost] = {}
    for number in range(rounds):
        for make in TOOLS:
            tool = make(work / "place", key, uploads)
            env = {
                "GNUPGHOME": os.fspath(home),
                "REPREPRO_BASE_DIR": os.fspath(tool.place),
                "PYTHONPATH": os.fspath(CHECKOUT),
                "PYTHONDONTWRITEBYTECODE": "",  # debkit is compiled where it is installed, and so it is here
                "PYTHONPYCACHEPREFIX": os.fspath(work / "compiled"),
            }
            batch = cost_of(("sh", "-euc", tool.batch), cwd=tool.place, env=env)
            batches[tool.name] = min(batch, batches.get(tool.name, batch), key=lambda cost: cost.seconds)
            for changes in extra if number + 1 == rounds else ():
                stem = os.fspath(changes.with_suffix(""))
                single = {"ONE": stem, "DSC": f"{stem.rpartition('_')[0]}.dsc"}
                one = cost_of(("sh", "-euc", tool.one), cwd=tool.place, env=env | single)
                ones[tool.name] = min(one, ones.get(tool.name, one), key=lambda cost: cost.seconds)
            check(tool, count + len(extra) * (number + 1 == rounds))
            shutil.rmtree(tool.place)
    shutil.rmtree(uploads)
    shutil.rmtree(more)
    return batches, ones


def check(tool: Tool, count: int) -> None:
    """See that the tool's index has all packages: the quickest is who leaves something out."""
    index = next(
        file for file in tool.place.rglob("dists/trixie/main/binary-amd64/Packages") if "snapshots" not in file.parts
    ).read_text()
    found = sum(line.startswith("Package: ") for line in index.splitlines())
    assert found == count, f"{tool.name} has {found} of {count} packages"


def rows(title: str, costs: dict[str, Cost]) -> None:
    for name, cost in costs.items():
        ratio = costs["debkit"].seconds / cost.seconds
        print(
            f"{title:<28} {name:<15} {cost.seconds:>9.2f} {cost.cpu:>9.2f} {cost.memory / 10**6:>9.1f} {ratio:>16.2f}",
            flush=True,
        )


def main() -> int:
    """Print the table and what of the goals was reached."""
    missed = 0
    goals = []
    with gnupg_home() as home, tempfile.TemporaryDirectory(prefix="bench.", dir="/var/tmp") as directory:
        key = make_key(home)
        print(f"{'what':<28} {'who':<15} {'wall s':>9} {'cpu s':>9} {'peak MB':>9} {'debkit ÷ it':>16}")
        for count in COUNTS:
            batches, ones = measure(Path(directory), count, home, key)
            rows(f"{count} packages at once", batches)
            rows(f"one more, beside {count}", ones)
            ratio = batches["debkit"].seconds / batches["reprepro"].seconds
            goals.append((f"{count} packages at once: debkit ÷ reprepro", ratio, BATCH_GOAL))
            if count >= ONE_AT:
                ratio = ones["debkit"].seconds / ones["aptly"].seconds
                goals.append((f"one more, beside {count}: debkit ÷ aptly", ratio, ONE_GOAL))
    for what, ratio, goal in goals:
        print(f"{what:<44} {ratio:>6.2f}  goal ≤ {goal}  {'met' if ratio <= goal else 'MISSED'}")
        missed += ratio > goal
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
