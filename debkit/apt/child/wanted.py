"""Turn a source's build dependencies into the dependencies of a package that apt is asked to install, as sbuild does.

See setup_apt_archive in sbuild's lib/Sbuild/ResolverBase.pm. The groups are what apt_pkg.parse_src_depends makes of a field:
lists of alternatives (name with its qualifier, version, operator), architecture restrictions and build profiles applied.
"""

from __future__ import annotations

DUMMY = "debkit-build-depends"
STRICT = {"<": "<<", ">": ">>"}

Alternative = tuple[str, str, str]
Groups = list[list[Alternative]]


def fields_for(*, all_packages: bool, arch_packages: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Name the .dsc's fields that count for what is built: those with dependencies and those with conflicts."""
    kinds = ("", *(("-Arch",) if arch_packages else ()), *(("-Indep",) if all_packages else ()))
    return tuple(f"Build-Depends{kind}" for kind in kinds), tuple(f"Build-Conflicts{kind}" for kind in kinds)


def cross_core(host: str) -> tuple[str, ...]:
    """Give what sbuild adds for a cross build; libc-dev and libstdc++-dev because of Debian bug #815172."""
    return (f"crossbuild-essential-{host}:native", "apt-utils:native", f"libc-dev:{host}", f"libstdc++-dev:{host}")


def first_only(groups: Groups) -> Groups:
    """Keep the first alternative, and what follows it on the same package: `a (>= 1) | a (<< 0)` is one logical dependency."""
    kept = []
    for group in groups:
        number = next((i for i, other in enumerate(group) if _package(other) != _package(group[0])), len(group))
        kept.append(group[:number])
    return kept


def qualified(groups: Groups, native: str) -> Groups:
    """Say `:native`, which only source packages know, as binary packages can; `native` is empty unless building across."""
    suffix = f":{native}" if native else ""
    return [[(name.replace(":native", suffix), version, op) for name, version, op in group] for group in groups]


def field(groups: Groups) -> str:
    return ", ".join(" | ".join(relation(*alternative) for alternative in group) for group in groups)


def relation(name: str, version: str, operator: str) -> str:
    """Write a relation. python-apt's `<` and `>` are strict; in a control file a single `<` would mean `<=`."""
    return f"{name} ({STRICT.get(operator, operator)} {version})" if operator else name


def stanza(*, arch: str, depends: str, conflicts: str) -> str:
    """Write an entry of a Packages file for the package that depends on it all."""
    relations = (("Depends", depends), ("Conflicts", conflicts))
    return (
        f"Package: {DUMMY}\nVersion: 0\nArchitecture: {arch}\nMaintainer: debkit <debkit@example.org>\n"
        + "".join(f"{name}: {text}\n" for name, text in relations if text)
        + f"Filename: ./{DUMMY}.deb\nSize: 1\nDescription: build dependencies\n\n"
    )


def _package(alternative: Alternative) -> str:
    return alternative[0].partition(":")[0]
