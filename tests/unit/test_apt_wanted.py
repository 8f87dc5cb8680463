"""Build dependencies as sbuild asks apt for them."""

from __future__ import annotations

from debkit.apt.child.wanted import cross_core, field, fields_for, first_only, qualified, stanza


def test_only_the_first_alternative_counts() -> None:
    groups = [[("a", "", ""), ("b", "", "")], [("c", "1", ">=")]]
    assert field(first_only(groups)) == "a, c (>= 1)"


def test_relations_on_one_package_stay_together() -> None:
    groups = [[("a", "2", ">="), ("a", "1", "<"), ("b", "", ""), ("a", "", "")], [("x:any", "", ""), ("x", "3", "=")]]
    assert field(first_only(groups)) == "a (>= 2) | a (<< 1), x:any | x (= 3)"


def test_native_is_dropped_or_named() -> None:
    groups = [[("python3:native", "", "")], [("libc-dev", "5", ">")]]
    assert field(qualified(groups, "")) == "python3, libc-dev (>> 5)"
    assert field(qualified(groups, "amd64")) == "python3:amd64, libc-dev (>> 5)"


def test_the_fields_follow_what_is_built() -> None:
    assert fields_for(all_packages=True, arch_packages=False)[0] == ("Build-Depends", "Build-Depends-Indep")
    assert fields_for(all_packages=False, arch_packages=True) == (
        ("Build-Depends", "Build-Depends-Arch"),
        ("Build-Conflicts", "Build-Conflicts-Arch"),
    )


def test_a_cross_build_needs_a_cross_compiler() -> None:
    assert cross_core("arm64") == (
        "crossbuild-essential-arm64:native",
        "apt-utils:native",
        "libc-dev:arm64",
        "libstdc++-dev:arm64",
    )


def test_the_package_that_needs_it_all() -> None:
    text = stanza(arch="arm64", depends="a, b (>= 1)", conflicts="")
    assert text.startswith("Package: debkit-build-depends\nVersion: 0\nArchitecture: arm64\n")
    assert "Depends: a, b (>= 1)\n" in text
    assert "Conflicts" not in text
    assert text.endswith("\n\n")
