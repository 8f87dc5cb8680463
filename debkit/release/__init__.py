"""Release what the archive has: notes from git, and the GitHub release that bears the archive's own bytes. Owns PyGithub."""
