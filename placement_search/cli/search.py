"""``search``: the whole way from a backbone and a task to an exported layout."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from placement_search.backbones.settings import ModelSettings
from placement_search.cli.bundles import with_bundles
from placement_search.cli.options import (
    DEFAULTS,
    DIFFERS,
    Format,
    FormatOption,
    SeedOption,
    StorageOption,
    exit_codes,
)
from placement_search.cli.output import print_json, print_rows
from placement_search.cli.progress import StderrProgress
from placement_search.cli.search_options import (
    NO_LIMIT,
    FidelityOption,
    GammaOption,
    LatencyLimitOption,
    NoMapOption,
    PrunerOption,
    ReplicatesOption,
)
from placement_search.errors import ExportError, FailureError
from placement_search.evaluation.plan import TrainingPlan
from placement_search.output_files import check_folder
from placement_search.profile import NoProfile, Profile
from placement_search.study.settings import SearchSettings
from placement_search.study.starts import StartLayout
from placement_search.tasks.settings import DataSettings

if TYPE_CHECKING:
    from placement_search.evaluation.workbench import Workbench
    from placement_search.study.records import StudyRecord


@with_bundles
def search(
    model: ModelSettings,
    data: DataSettings,
    space: Annotated[
        str,
        typer.Option(
            help="Search space: per_layer, long_range, recurrent, extended, one of a paper "
            "(tiny_attention, adamix, arc, lora, hadamard, adapter_bias, unipelt, "
            "sparse_adapter, adaptable_adapters), modules for all of them, or a file."
        ),
    ] = DEFAULTS.space,
    study_name: Annotated[
        str | None,
        typer.Option(help="Name within the storage; made from data and space if not given."),
    ] = None,
    storage: StorageOption = DEFAULTS.storage,
    n_trials: Annotated[
        int, typer.Option(min=1, help="Layouts of the study in total, baselines included.")
    ] = DEFAULTS.n_trials,
    max_seconds: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Begin no more trials once they, and training switches, have taken so many "
            "seconds, e.g. 3600, all runs together. Frozen states and proxy map before them, and "
            "the finals after them, which may take longer, are not counted. Which trial is the "
            "last then depends on the machine.",
            show_default=NO_LIMIT,
        ),
    ] = None,
    max_steps: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Begin no more trials once they have taken so many training steps, pruned ones "
            "too, and those of switches, but not of finals; what comes first of --n-trials, this "
            "and --max-seconds counts.",
            show_default=NO_LIMIT,
        ),
    ] = None,
    sampler: Annotated[
        str,
        typer.Option(
            help="What proposes layouts: guided, gradient-guided, switch (trains all connections, "
            "64 at most, at once, and proposes those that learned switches keep), tpe, gp, cma-es, "
            "nsga-ii, qmc, random or brute-force."
        ),
    ] = DEFAULTS.sampler,
    pruner: PrunerOption = DEFAULTS.pruner,
    fidelity: FidelityOption = DEFAULTS.fidelity,
    replicates: ReplicatesOption = DEFAULTS.replicates,
    objective: Annotated[
        str,
        typer.Option(
            help="What to search for: score, or the score against a cost: score,parameters, "
            "score,flops or score,bytes, which gives a Pareto front."
        ),
    ] = DEFAULTS.objective,
    seed: SeedOption = DEFAULTS.seed,
    concurrency: Annotated[
        int,
        typer.Option(
            min=1,
            help="Trials that may be under way at once; what samplers and pruners know does not "
            "depend on the machine.",
        ),
    ] = DEFAULTS.concurrency,
    max_params: Annotated[
        str | None,
        typer.Option(
            help="Most trainable parameters of the adapters: a count, e.g. 5000, "
            "or a share of the backbone, e.g. 0.5%.",
            show_default=NO_LIMIT,
        ),
    ] = None,
    max_bytes: Annotated[
        str | None,
        typer.Option(
            help="Most bytes of adapters and head on disk, e.g. 20KB or 64KiB.",
            show_default=NO_LIMIT,
        ),
    ] = None,
    max_flops: Annotated[
        str | None,
        typer.Option(
            help="Most operations of a forward pass, as a factor of the bare backbone's, "
            "e.g. 1.1x or 110%.",
            show_default=NO_LIMIT,
        ),
    ] = None,
    max_latency: LatencyLimitOption = None,
    finalists: Annotated[
        int,
        typer.Option(
            min=0,
            help="Layouts of the search to retrain from fresh seeds, beside the baselines, and to "
            "test; up to twice as many where some are slower than --max-latency. 0 for no finals: "
            "the test split is not read, and the best trial is exported.",
        ),
    ] = DEFAULTS.n_finalists,
    seeds: Annotated[
        int, typer.Option(min=2, help="Retrainings of each finalist, baselines among them.")
    ] = DEFAULTS.n_seeds,
    n_random: Annotated[
        int,
        typer.Option(
            min=3,
            help="Random layouts among the baselines; as many of the answer's size are trained in "
            "the end, as far as the baselines are not such, or one of them is the answer.",
        ),
    ] = DEFAULTS.n_random,
    start_from: Annotated[
        list[Path] | None,
        typer.Option(
            help="A layout file of another study, e.g. runs/digits/layout/layout.json, to evaluate "
            "after the baselines, adapted too where the space lacks it; may be given several times."
        ),
    ] = None,
    full_fine_tuning: Annotated[
        bool,
        typer.Option(
            "--full-fine-tuning", help="Train the whole backbone too in the end, as a ceiling."
        ),
    ] = False,
    epochs: Annotated[
        int, typer.Option(min=1, help="Epochs per training.")
    ] = DEFAULTS.training.epochs,
    batch_size: Annotated[
        int, typer.Option(min=1, help="Examples per step.")
    ] = DEFAULTS.training.batch_size,
    learning_rate: Annotated[
        float,
        typer.Option(
            min=1e-8,
            help="Peak of AdamW's learning rate; the default suits the embedded backbone, models "
            "from the hub usually want less, e.g. 0.003.",
        ),
    ] = DEFAULTS.training.learning_rate,
    weight_decay: Annotated[
        float, typer.Option(min=0, help="AdamW's weight decay.")
    ] = DEFAULTS.training.weight_decay,
    warm_up: Annotated[
        float, typer.Option(min=0, max=1, help="Share of all steps over which the rate rises.")
    ] = DEFAULTS.training.warm_up,
    reports_per_epoch: Annotated[
        int,
        typer.Option(
            min=1,
            help="Validation scores in each epoch, which pruners judge by, e.g. 8 for one long "
            "epoch; each costs a pass over the validation split.",
        ),
    ] = DEFAULTS.training.reports_per_epoch,
    consistency: Annotated[
        float,
        typer.Option(
            min=0,
            help="Weight of the divergence between two passes over the same examples, e.g. 1, for "
            "modules that draw at random in training (adamix); such a step costs two passes.",
        ),
    ] = DEFAULTS.training.consistency,
    drop_lowest: Annotated[
        int,
        typer.Option(
            min=0,
            help="Of the nodes that a layout adds to, how many of the lowest may lose their "
            "connections in a training pass, e.g. 5, as AdapterDrop trains for `drop`; how many "
            "do is drawn for each pass.",
        ),
    ] = DEFAULTS.training.drop_lowest,
    memory: Annotated[
        float,
        typer.Option(min=0, help="GiB that the frozen states of one split may take, e.g. 8."),
    ] = DEFAULTS.memory,
    workers: Annotated[
        int,
        typer.Option(
            min=1,
            help="Processes that train beside each other, at most --concurrency, each with a share "
            "of the threads and frozen states of its own; on CPUs one per core, if memory allows.",
        ),
    ] = DEFAULTS.workers,
    no_map: NoMapOption = False,
    gamma: GammaOption = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for report and layout, e.g. mine.", show_default="runs/STUDY"),
    ] = None,
    form: FormatOption = Format.TABLE,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress on stderr.")] = False,
    profile: Annotated[
        bool,
        typer.Option(
            "--profile",
            help="Say on stderr where the time went; that of other processes counts as workers.",
        ),
    ] = False,
) -> None:
    """Search for the best layout, report, export and verify it.

    The same command again continues a study that was stopped; where all is done it trains nothing
    but the layout to export.

    Example: placement-search search --data digits-location --space extended --n-trials 40
    """
    with exit_codes():
        starts = starts_of(start_from or [])
        settings = SearchSettings(
            model=model,
            data=data,
            space=space,
            study_name=study_name,
            storage=storage,
            n_trials=n_trials,
            max_seconds=max_seconds,
            max_steps=max_steps,
            sampler=sampler,
            pruner=pruner,
            fidelity=fidelity,
            replicates=replicates,
            objective=objective,
            seed=seed,
            concurrency=concurrency,
            max_params=max_params,
            max_bytes=max_bytes,
            max_flops=max_flops,
            max_latency=max_latency,
            n_finalists=finalists,
            n_seeds=seeds,
            n_random=n_random,
            full_fine_tuning=full_fine_tuning,
            proxy_map=not no_map,
            memory=memory,
            workers=workers,
            training=TrainingPlan(
                epochs=epochs,
                batch_size=batch_size,
                learning_rate=learning_rate,
                weight_decay=weight_decay,
                warm_up=warm_up,
                reports_per_epoch=reports_per_epoch,
                consistency=consistency,
                drop_lowest=drop_lowest,
            ),
            start_from=starts,
            start_files=tuple(map(str, start_from or ())),
            gammas=tuple(gamma) if gamma else DEFAULTS.gammas,
        )
        with StderrProgress(is_quiet=quiet) as progress:
            counted = _new_profile(is_wanted=profile)
            record, paths = _run(settings, out, progress, counted)
            for line in counted.lines():
                progress.say(line)
        _print_summary(record, paths, form)


def starts_of(files: Sequence[Path]) -> dict[str, StartLayout]:
    """The layouts of ``--start-from`` by role; torch is loaded only where there are any."""
    if not files:
        return {}
    from placement_search.export.starts import read_starts

    return read_starts(files)


def _new_profile(*, is_wanted: bool) -> Profile:
    """A profile that waits for graphics cards, or one that counts nothing."""
    if not is_wanted:
        return NoProfile()
    import torch

    return Profile(torch.accelerator.synchronize if torch.accelerator.is_available() else None)


def _run(
    settings: SearchSettings, out: Path | None, progress: StderrProgress, profile: Profile
) -> tuple["StudyRecord", list[Path]]:
    from placement_search.cli.folders import check_layout, check_report, folder_of
    from placement_search.export.export import choose_trial
    from placement_search.report.write import write_report
    from placement_search.study.checks import check_settings
    from placement_search.study.search import load_bench
    from placement_search.study.search import search as run_search

    # Before minutes of loading.
    check_settings(settings)
    folder = check_folder(out or folder_of(settings.resolved_name))
    study = settings.resolved_name, settings.storage
    check_report(folder / "report", *study)
    check_layout(folder / "layout", *study)
    try:
        progress.start("model and data", 1)
        bench = load_bench(settings.model, settings.data, memory=settings.memory, profile=profile)
        progress.finish()
        record = run_search(settings, progress, bench=bench)
    except KeyboardInterrupt as error:
        progress.finish()
        typer.echo(
            f"stopped; everything that was finished is in {settings.storage}. "
            "The same command again goes on where this one stopped.",
            err=True,
        )
        raise typer.Exit(1) from error
    progress.start("report", 1)
    paths = write_report(record, folder / "report")
    try:
        choose_trial(record, None)
    except ExportError as error:
        progress.say(f"nothing is exported: {error}")
    else:
        progress.start("export", settings.training.epochs)
        paths += _export_and_verify(record, bench, folder / "layout", progress)
    return record, paths


def _export_and_verify(
    record: "StudyRecord", bench: "Workbench", folder: Path, progress: StderrProgress
) -> list[Path]:
    """Export the answer, and have a fresh process load it and compare the logits."""
    from placement_search.export.export import export_layout

    exported = export_layout(record, bench, folder, progress=progress)
    if exported.reproduced != exported.recorded:
        progress.say(DIFFERS)
    progress.start("verify", 1)
    command = [sys.executable, "-m", "placement_search", "verify", str(folder)]
    asked = record.definition.model
    options = ["--device", asked.device, "--format", "json"]
    options += ["--family", asked.family] if asked.family else []
    options += ["--allow-pickle"] if asked.allow_pickle else []
    options += ["--trust-remote-code"] if asked.trust_remote_code else []
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    if done.returncode or not json.loads(done.stdout)["is_same"]:
        raise FailureError(
            f"the exported layout failed its verification:\n{done.stderr}{done.stdout}"
        )
    return list(exported.paths)


def _print_summary(record: "StudyRecord", paths: list[Path], form: Format) -> None:
    """What was found, what it costs, how it compares, and where the files are."""
    from placement_search.report.findings import gather_findings
    from placement_search.report.summary import summary_facts, summary_lines, summary_rows

    findings = gather_findings(record)
    if form is Format.TABLE:
        for line in summary_lines(findings):
            typer.echo(line)
        for path in paths:
            typer.echo(f"wrote {path}")
    elif form is Format.CSV:
        print_rows(summary_rows(findings), form)
    else:
        print_json({**summary_facts(findings), "paths": [str(path) for path in paths]})
