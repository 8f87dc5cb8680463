"""Make a foreign-architecture chroot run at native speed: at each exec a known tool's native twin runs in its place."""

from debkit.accel.accelerator import Accelerator, Notebook, foretold, lent, opened, why_uncompared

__all__ = ["Accelerator", "Notebook", "foretold", "lent", "opened", "why_uncompared"]
