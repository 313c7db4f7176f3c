"""``report``, ``export`` and ``verify``: what becomes of a study."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from placement_search.cli.bundles import backbone_of, model_of
from placement_search.cli.options import (
    DEFAULTS,
    DIFFERS,
    DataPlaceOption,
    DeviceOption,
    FamilyOption,
    FolderArgument,
    Format,
    FormatOption,
    ModelPlaceOption,
    PickleOption,
    RemoteCodeOption,
    StorageOption,
    StudyOption,
    exit_codes,
)
from placement_search.cli.output import print_facts, print_json
from placement_search.cli.progress import StderrProgress
from placement_search.rounding import score_text


def report(
    storage: StorageOption = DEFAULTS.storage,
    study_name: StudyOption = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the report, e.g. reports/first.", show_default="runs/STUDY/report"
        ),
    ] = None,
) -> None:
    """Write a study's report: report.html, report.md, report.json and trials.csv.

    Example: placement-search report --storage sqlite:///study.db --out reports/first
    """
    with exit_codes():
        from placement_search.cli.folders import check_report, folder_of
        from placement_search.report.write import write_report
        from placement_search.study.records import load_record

        record = load_record(storage, study_name)
        folder = out or folder_of(record.name) / "report"
        check_report(folder, record.name, record.storage)
        with StderrProgress() as progress:
            progress.start("report", 1)
            paths = write_report(record, folder)
        for path in paths:
            typer.echo(f"wrote {path}")


def export(
    storage: StorageOption = DEFAULTS.storage,
    study_name: StudyOption = None,
    trial: Annotated[
        int | None,
        typer.Option(min=0, help="Number of the trial to export; the study's answer if not given."),
    ] = None,
    model: ModelPlaceOption = None,
    data: DataPlaceOption = None,
    device: DeviceOption = None,
    family: FamilyOption = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the layout, e.g. runs/trial-12.",
            show_default="runs/STUDY/layout; runs/STUDY/trial-N with --trial",
        ),
    ] = None,
    peft: Annotated[
        Path | None,
        typer.Option(
            help="A further folder, e.g. runs/first/peft, for the layout as PEFT loads it. Layouts "
            "of lora alone can be written so; PEFT has no heads, so head.safetensors lies beside."
        ),
    ] = None,
) -> None:
    """Train a study's layout again from its seed and write layout.json and layout.safetensors.

    Example: placement-search export --trial 12 --out runs/trial-12
    """
    with exit_codes():
        from placement_search.cli.folders import check_layout, layout_folder
        from placement_search.export.export import choose_trial, export_layout
        from placement_search.study.records import load_record
        from placement_search.study.search import load_bench

        record = load_record(storage, study_name)
        choose_trial(record, trial)
        folder = out or layout_folder(record.name, trial)
        check_layout(folder, record.name, record.storage)
        with StderrProgress() as progress:
            progress.start("export", record.definition.training.epochs)
            asked = record.definition
            chosen = record.pooling.pooling if record.pooling else None
            settings = model_of(asked.model, model, device=device, family=family, pooling=chosen)
            bench = load_bench(settings, asked.data.moved_to(data, asked.metric))
            exported = export_layout(
                record, bench, folder, number=trial, peft=peft, progress=progress
            )
        typer.echo(f"trial {exported.trial.number}: {exported.trial.layout}")
        typer.echo(
            f"validation score {score_text(exported.reproduced)} after training again, "
            f"{score_text(exported.recorded)} in the study"
        )
        if exported.reproduced != exported.recorded:
            typer.echo(DIFFERS, err=True)
        for path in exported.paths:
            typer.echo(f"wrote {path}")


def verify(
    folder: FolderArgument,
    model: ModelPlaceOption = None,
    data: DataPlaceOption = None,
    device: DeviceOption = None,
    family: FamilyOption = None,
    allow_pickle: PickleOption = False,
    trust_remote_code: RemoteCodeOption = False,
    form: FormatOption = Format.TABLE,
) -> None:
    """Load an exported layout onto its backbone and show that its logits are what they were.

    Exits with 1 where they are not. Where the data are at hand and unchanged, the validation score
    is measured again too; data on the hub are not asked for.

    Example: placement-search verify runs/demo/layout
    """
    with exit_codes():
        from placement_search.export.load import verify_layout

        settings = backbone_of(folder, model, device, family, allow_pickle, trust_remote_code)
        with StderrProgress() as progress:
            progress.start("verify", 1)
            verified = verify_layout(folder, settings, data)
        if form is Format.JSON:
            print_json(asdict(verified))
        else:
            print_facts(asdict(verified), form)
        if not verified.is_same:
            typer.echo("error: the logits are not those of the exported layout", err=True)
            raise typer.Exit(1)
