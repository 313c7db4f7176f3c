"""Options that several commands share, and what all commands do alike; loads no torch."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from placement_search.cli.bundles import MODEL_HELP
from placement_search.errors import FailureError, PlacementSearchError
from placement_search.study.settings import SearchSettings

DEFAULTS = SearchSettings()
"""Defaults of a search; other commands share the ones that they have too."""


DIFFERS = (
    "warning: training again gave another score than the study's, as another machine or number "
    "of threads may; the layout file says what was measured now, and leaves the test score out"
)
"""Said where an export did not reproduce the study's score."""


class Format(StrEnum):
    """How results are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


FolderArgument = Annotated[
    Path, typer.Argument(help="Folder with layout.json and layout.safetensors.")
]
ModelPlaceOption = Annotated[
    str | None, typer.Option("--model", help="Where the backbone lies now, if it was moved.")
]
DataPlaceOption = Annotated[
    str | None, typer.Option("--data", help="Where the data lie now, if they were moved.")
]
DeviceOption = Annotated[str | None, typer.Option("--device", help=MODEL_HELP["device"])]
FamilyOption = Annotated[
    str | None,
    typer.Option("--family", help=MODEL_HELP["family"]),
]
RevisionOption = Annotated[str | None, typer.Option("--revision", help=MODEL_HELP["revision"])]
PickleOption = Annotated[bool, typer.Option("--allow-pickle", help=MODEL_HELP["allow_pickle"])]
RemoteCodeOption = Annotated[
    bool, typer.Option("--trust-remote-code", help=MODEL_HELP["trust_remote_code"])
]
StorageOption = Annotated[
    str, typer.Option("--storage", help="SQLite address of the study, e.g. sqlite:///study.db.")
]
StudyOption = Annotated[
    str | None,
    typer.Option(
        "--study-name", help="Name within the storage; not needed where it holds one study."
    ),
]
FormatOption = Annotated[Format, typer.Option("--format", help="How to print the result.")]
SeedOption = Annotated[
    int, typer.Option("--seed", min=0, help="Everything random derives from it.")
]


@contextmanager
def exit_codes() -> Iterator[None]:
    """Turn what a user can cause into one message and exit code 2, and Ctrl-C into 1.

    Anything else is a failure of ours: Python prints it and exits with 1.
    """
    try:
        yield
    except PlacementSearchError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1 if isinstance(error, FailureError) else 2) from error
    except KeyboardInterrupt as error:
        typer.echo("stopped", err=True)
        raise typer.Exit(1) from error
    except BrokenPipeError:
        # A reader such as `head` has closed our output: nothing is wrong, nothing can be said.
        sys.stderr.close()
        raise typer.Exit(0) from None
