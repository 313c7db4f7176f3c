"""``drop``, ``prune`` and ``merge``: what becomes of exported layouts."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from placement_search.cli.bundles import backbone_of
from placement_search.cli.options import (
    DataPlaceOption,
    DeviceOption,
    FamilyOption,
    FolderArgument,
    Format,
    FormatOption,
    ModelPlaceOption,
    PickleOption,
    RemoteCodeOption,
    SeedOption,
    exit_codes,
)
from placement_search.cli.output import Cell, print_facts, print_json, print_rows
from placement_search.cli.progress import StderrProgress

if TYPE_CHECKING:
    from placement_search.evaluation.score_card import Costs
    from placement_search.operations.prune import PruneResult
    from placement_search.operations.trained import Written

NewFolderOption = Annotated[
    Path, typer.Option("--out", help="Folder for the new layout, e.g. runs/smaller.")
]
RetrainOption = Annotated[
    int, typer.Option("--retrain", min=0, help="Epochs to train the new layout on for.")
]
RateOption = Annotated[
    float | None,
    typer.Option(
        "--learning-rate",
        help="Peak of the schedule then, e.g. 0.001; as it was trained if not given.",
    ),
]


def drop(
    folder: FolderArgument,
    lowest: Annotated[
        int,
        typer.Option(
            help="How many of the nodes that the layout adds to lose their connections, counted "
            "from the lowest, e.g. 5."
        ),
    ],
    out: NewFolderOption,
    retrain: RetrainOption = 0,
    learning_rate: RateOption = None,
    seed: SeedOption = 0,
    model: ModelPlaceOption = None,
    data: DataPlaceOption = None,
    device: DeviceOption = None,
    family: FamilyOption = None,
    allow_pickle: PickleOption = False,
    trust_remote_code: RemoteCodeOption = False,
    form: FormatOption = Format.TABLE,
) -> None:
    """Remove a layout's connections into the lowest nodes (AdapterDrop), and say what that does.

    Example: placement-search drop runs/demo/layout --lowest 2 --out runs/dropped
    """
    with exit_codes():
        from placement_search.operations.drop import drop_lowest
        from placement_search.operations.trained import OperationSettings

        settings = backbone_of(folder, model, device, family, allow_pickle, trust_remote_code)
        asked = OperationSettings(out, settings, data, retrain, learning_rate, seed)
        with StderrProgress() as progress:
            progress.start("drop", retrain)
            done = drop_lowest(folder, lowest, asked, progress.advance)
        facts = {
            **before_and_after(done.written, done.score_before, done.costs_before),
            "latency_before": done.latency_before,
            "latency_after": done.latency_after,
            "speed_up": done.speed_up,
            "dropped": "+".join(c.notation for c in done.dropped),
        }
        show(facts, done.written, form)


def prune(
    folder: FolderArgument,
    max_params: Annotated[
        str,
        typer.Option(help="Most adapter parameters: a count, or a share of the backbone, e.g. 1%."),
    ],
    out: NewFolderOption,
    share: Annotated[
        bool, typer.Option(help="Let modules that stay work at the pruned places too.")
    ] = True,
    importance: Annotated[
        str,
        typer.Option(
            help="What stays: 'loss-rise' (training loss without each connection) or 'taylor' (its "
            "first-order estimate, one pass for all)."
        ),
    ] = "loss-rise",
    examples: Annotated[
        int, typer.Option(min=0, help="Training examples, in whole batches of 64; 0: all.")
    ] = 1024,
    retrain: Annotated[
        int | None,
        typer.Option(
            min=0, help="Epochs to train the new layout on for; as the old one if not given."
        ),
    ] = None,
    learning_rate: RateOption = None,
    seed: SeedOption = 0,
    model: ModelPlaceOption = None,
    data: DataPlaceOption = None,
    device: DeviceOption = None,
    family: FamilyOption = None,
    allow_pickle: PickleOption = False,
    trust_remote_code: RemoteCodeOption = False,
    form: FormatOption = Format.TABLE,
) -> None:
    """Prune a layout to a budget, and share what stays with the pruned places (Pear).

    Example: placement-search prune runs/demo/layout --max-params 2500 --out runs/pruned
    """
    with exit_codes():
        from placement_search.operations.prune import PruneSettings, prune_layout
        from placement_search.operations.trained import OperationSettings

        settings = backbone_of(folder, model, device, family, allow_pickle, trust_remote_code)
        asked = OperationSettings(out, settings, data, retrain, learning_rate, seed)
        how = PruneSettings(max_params, share, importance, examples)
        with StderrProgress() as progress:
            progress.start("prune", 1 + (retrain or 0))
            done = prune_layout(folder, how, asked, progress.advance)
        rows = _fates(done)
        facts = before_and_after(done.written, done.score_before, done.costs_before)
        if form is Format.TABLE:
            print_rows(rows, form)
        show(facts, done.written, form, connections=rows)


def merge(
    folders: Annotated[
        list[Path], typer.Argument(help="Folders of layouts with the same connections and modules.")
    ],
    out: NewFolderOption,
    align: Annotated[
        str,
        typer.Option(
            help="How hidden units are put in order first: permutation, transport or none."
        ),
    ] = "permutation",
    task_of: Annotated[
        Path | None,
        typer.Option(
            help="The folder whose task and head the new layout has; the first if not given."
        ),
    ] = None,
    retrain: RetrainOption = 0,
    learning_rate: RateOption = None,
    seed: SeedOption = 0,
    model: ModelPlaceOption = None,
    data: DataPlaceOption = None,
    device: DeviceOption = None,
    family: FamilyOption = None,
    allow_pickle: PickleOption = False,
    trust_remote_code: RemoteCodeOption = False,
    form: FormatOption = Format.TABLE,
) -> None:
    """Average layouts that were trained on related tasks, their hidden units aligned first (MerA).

    Example: placement-search merge runs/location runs/count --out runs/merged
    """
    with exit_codes():
        from placement_search.operations.merge import merge_layouts
        from placement_search.operations.trained import OperationSettings

        first = task_of or folders[0]
        settings = backbone_of(first, model, device, family, allow_pickle, trust_remote_code)
        asked = OperationSettings(out, settings, data, retrain, learning_rate, seed)
        with StderrProgress() as progress:
            progress.start("merge", 1 + retrain)
            done = merge_layouts(folders, align, first, asked, progress.advance)
        facts: dict[str, Cell] = {"task": done.task}
        parents = zip(folders, done.parent_scores, strict=True)
        facts |= {f"score_of {folder}": score for folder, score in parents}
        facts |= {"score_of plain average": done.plain_score}
        facts |= {f"score_of average, {align}": done.written.untrained_score}
        facts |= {"score_after": done.written.score, **_named(done.written)}
        rows: list[dict[str, Cell]] = [
            {"connection": connection.notation, "unaligned": reason}
            for connection, reason in done.unaligned.items()
        ]
        if rows and form is Format.TABLE:
            print_rows(rows, form)
        show(facts, done.written, form, unaligned=rows)


def _named(written: "Written") -> dict[str, Cell]:
    return {"layout_id": written.layout_id, "layout": written.notation}


def before_and_after(
    written: "Written", score_before: float, costs_before: "Costs"
) -> dict[str, Cell]:
    """What changed, in the words of the report."""
    return {
        "score_before": score_before,
        "score_untrained": written.untrained_score,
        "score_after": written.score,
        "parameters_before": costs_before.n_adapter_parameters,
        "parameters_after": written.costs.n_adapter_parameters,
        "flops_factor_before": costs_before.flops_factor,
        "flops_factor_after": written.costs.flops_factor,
        **_named(written),
    }


def _fates(done: "PruneResult") -> list[dict[str, Cell]]:
    """A row for each connection, most important first."""
    fates = {c: f"works as {d.source}>{d.target}" for c, d in done.donors.items()}
    fates |= dict.fromkeys(done.kept, "stays")
    ranked = sorted(done.importances.items(), key=lambda item: -item[1])
    return [
        {
            "connection": connection.notation,
            "importance": importance,
            "fate": fates.get(connection, "removed"),
        }
        for connection, importance in ranked
    ]


def show(
    facts: Mapping[str, Cell], written: "Written", form: Format, **more: list[dict[str, Cell]]
) -> None:
    """Print facts, then what was written; ``more`` goes into JSON alone."""
    if form is Format.JSON:
        print_json({**facts, **more, "paths": [str(path) for path in written.paths]})
        return
    print_facts(facts, form)
    if form is Format.TABLE:
        for path in written.paths:
            typer.echo(f"wrote {path}")
