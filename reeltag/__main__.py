"""`python -m reeltag` is `reeltag`."""

from reeltag.cli.main import main

main()
