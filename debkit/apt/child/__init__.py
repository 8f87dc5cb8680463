"""The process in which python-apt lives: `python -m debkit.apt.child`, a JSON request in, a JSON answer out.

Only the modules of this package import apt_pkg. None of them starts a process; libapt starts its own methods, and dpkg-deb to
read a local .deb.
"""
