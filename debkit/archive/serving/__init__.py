"""What of an archive is for the world, and how it gets there: a directory, a machine that rsync reaches, GitHub Pages, http."""
