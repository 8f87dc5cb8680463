"""Release what the archive has: notes from git, the GitHub release that bears the archive's own bytes, and the branch of Pages.

Owns PyGithub, and gh for attestations.
"""
