"""What a user of the tabular benchmark can cause to go wrong, and how its commands say so."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from placement_search.errors import FailureError, PlacementSearchError


class TableError(PlacementSearchError):
    """A table, its maps or what is asked of them break a rule."""


@contextmanager
def plain_errors() -> Iterator[None]:
    """Say what a user can cure in one message and exit with 2, or with 1 where the tool failed."""
    try:
        yield
    except PlacementSearchError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1 if isinstance(error, FailureError) else 2)


def check_counts(given: argparse.Namespace, *options: str) -> None:
    """Check numbers of which there must be one at least; those that were left out are None.

    Raises:
        TableError: If one is smaller.
    """
    for option in options:
        value = getattr(given, option)
        if value is not None and value < 1:
            raise TableError(
                f"--{option} must be at least 1, got {value}; leave it out for the default"
            )
