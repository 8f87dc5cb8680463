"""Chroots: make them, keep them fresh, layer build dependencies on them, open them without privileges.

`store` keeps base tarballs, `layers` those with a source's build dependencies in, `roots` unpacks, `namespace` enters.
"""
