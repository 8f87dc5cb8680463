"""`python3 -m debkit`: the command from a checkout."""

from debkit.cli import main

main()
