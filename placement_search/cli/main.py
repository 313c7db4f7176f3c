"""The command line's one app; importing it loads no torch, so that ``--help`` is quick."""

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from placement_search.cli import artefacts, deploy, models, operations, plan, search, studies
from placement_search.own_process import keep_freed_memory, wait_patiently

EXIT_CODES = "Exit codes: 0 done, 1 our failure or stopped, 2 a mistake that you can mend."

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    epilog=EXIT_CODES,
    help="Find where adapters help a frozen transformer most: per layer, long-range or recurrent.",
)
app.command(epilog=EXIT_CODES)(search.search)
app.command("plan")(plan.plan)
app.command()(models.inspect)
app.command("data")(models.data_)
app.command("map")(models.map_)
app.command()(studies.status)
app.command()(studies.trials)
app.command()(studies.best)
app.command()(artefacts.report)
app.command()(artefacts.export)
app.command()(artefacts.verify)
app.command()(deploy.deploy)
app.command()(operations.drop)
app.command()(operations.prune)
app.command()(operations.merge)


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - typer's shape of a callback
    if wanted:
        typer.echo(f"placement-search {version('placement-search')}")
        raise typer.Exit


@app.callback()
def _common(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and leave."
        ),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line, in a process that is its own."""
    wait_patiently()
    keep_freed_memory()
    sys.exit(app())
