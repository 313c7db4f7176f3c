"""``python -m placement_search`` is the command line."""

from placement_search.cli.main import main

main()
