"""What this machine can do for builds, and how to mend it: binfmt_misc, subordinate ids, user namespaces, tools, room, clock."""

from debkit.host.checkup import doctor, fix, require
from debkit.host.elf import runs_natively
from debkit.host.fact import Fact, State, Step, as_json, as_line
from debkit.host.machine import Host, facts, native_arch
from debkit.host.room import demand_scratch
from debkit.host.tools import installed_versions

__all__ = [
    "Fact",
    "Host",
    "State",
    "Step",
    "as_json",
    "as_line",
    "demand_scratch",
    "doctor",
    "facts",
    "fix",
    "installed_versions",
    "native_arch",
    "require",
    "runs_natively",
]
