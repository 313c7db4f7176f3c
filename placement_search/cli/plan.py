"""``plan``: what a search would be, before it is started."""

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from placement_search.backbones.settings import ModelSettings
from placement_search.cli.bundles import with_bundles
from placement_search.cli.options import Format, FormatOption, exit_codes
from placement_search.cli.output import Row, print_facts, print_json, print_rows
from placement_search.cli.progress import StderrProgress
from placement_search.cli.search import search
from placement_search.evaluation.plan import TrainingPlan
from placement_search.space.file import read_space
from placement_search.study.settings import SearchSettings
from placement_search.tasks.settings import DataSettings

if TYPE_CHECKING:
    from placement_search.evaluation.workbench import Workbench
    from placement_search.study.outline import Outline, Sampled

TRAINING = (
    "epochs", "batch_size", "learning_rate", "weight_decay", "warm_up", "consistency",
    "drop_lowest",
)  # fmt: skip
RENAMED = {"finalists": "n_finalists", "seeds": "n_seeds"}
SHARED = (
    "space", "n_trials", "seed", "max_params", "max_bytes", "max_flops", "max_latency",
    "finalists", "seeds", "n_random", *TRAINING, "memory",
)  # fmt: skip
"""Options that mean what they mean to ``search``, and are the same objects."""


def _as_settings(
    model: ModelSettings, data: DataSettings, options: dict[str, Any]
) -> SearchSettings:
    training = TrainingPlan(**{name: options.pop(name) for name in TRAINING})
    named = {RENAMED.get(name, name): value for name, value in options.items()}
    return SearchSettings(model=model, data=data, training=training, **named)


def _plan(
    model: ModelSettings,
    data: DataSettings,
    sample: Annotated[int, typer.Option(min=0, help="Random layouts to show.")] = 5,
    form: FormatOption = Format.TABLE,
    **options: Any,  # noqa: ANN401 - whatever the shared options hold
) -> None:
    """Show what a search would be: size, sample, nodes, costs and time; writes nothing.

    Example: placement-search plan --space extended --max-params 1% --n-trials 40
    """
    with exit_codes():
        settings = _as_settings(model, data, options)
        # What is wrong with the file is said within a second.
        read_space(settings.space)
        from placement_search.study.outline import outline
        from placement_search.study.search import load_bench

        with StderrProgress() as progress:
            progress.start("model and data", 1)
            bench = load_bench(settings.model, settings.data, memory=settings.memory)
            progress.start("two short epochs", 1)
            made = outline(settings, bench, sample)
            progress.finish()
        _print(settings, bench, made, form)


def _with_shared_options() -> list[inspect.Parameter]:
    """The parameters of ``plan``, those that it shares with ``search`` among them."""
    theirs, ours = (inspect.signature(each).parameters for each in (search, _plan))
    own = [p for p in ours.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    shared = [theirs[name].replace(kind=inspect.Parameter.KEYWORD_ONLY) for name in SHARED]
    return [*own, *shared]


_plan.__signature__ = inspect.Signature(_with_shared_options())  # type: ignore[attr-defined]
plan = with_bundles(_plan)


def _print(settings: SearchSettings, bench: "Workbench", made: "Outline", form: Format) -> None:
    facts, nodes = _facts(settings, made), _node_rows(bench, made)
    sample = [_layout_row(each) for each in made.sample]
    if form is Format.JSON:
        print_json({**facts, "sample": sample, "nodes": nodes})
        return
    if form is Format.CSV:
        named = [*facts.items(), *(("sample", row["layout"]) for row in sample)]
        print_rows([{"what": name, "value": value} for name, value in named], form)
        return
    print_facts(facts, form)
    for title, rows in (("a sample of its layouts", sample), ("its nodes", nodes)):
        if rows:
            typer.echo("")
            print_rows(rows, form, title=title)


def _facts(settings: SearchSettings, made: "Outline") -> Row:
    space, seconds = made.space, made.durations
    return {
        "space": space.name,
        "n_layouts": made.n_layouts if made.log10_size < 15 else None,
        "log10_n_layouts": round(made.log10_size, 4),
        "is_exact": made.n_layouts is not None,
        "n_candidates": len(space.pairs),
        "n_choices": len(space.groups),
        **{f"n_{kind.value}": count for kind, count in made.n_by_kind.items()},
        "connections_per_layout": f"{space.at_least} to {space.at_most}",
        "modules": " ".join(module.notation for module in space.modules),
        "budget": space.budget.describe(),
        "min_parameters": made.cheap.costs.n_parameters,
        "max_parameters": made.dear.costs.n_parameters,
        "n_trials": settings.n_trials,
        "seconds_per_trial_cheap": _rounded(seconds.cheap_trial),
        "seconds_per_trial_dear": _rounded(seconds.dear_trial),
        "seconds_preparation": _rounded(seconds.preparation),
        "seconds_trials": _rounded(seconds.search),
        "seconds_finals": _rounded(seconds.finals),
        "seconds_total": _rounded(seconds.total),
    }


def _rounded(seconds: float) -> float:
    return round(seconds, 3)


def _layout_row(sampled: "Sampled") -> Row:
    costs = sampled.costs
    return {
        "layout": sampled.layout.notation,
        "parameters": costs.n_parameters,
        "bytes": costs.n_bytes,
        "flops_factor": None if costs.flops_factor is None else round(costs.flops_factor, 4),
        "latency_factor": costs.latency_factor,
    }


def _node_rows(bench: "Workbench", made: "Outline") -> Sequence[Row]:
    """Every node with the candidates that read it and that add to it."""
    pairs = made.space.pairs
    return [
        {
            "node": node.index,
            "state": node.title,
            "read_by": sum(source == node.index for source, _ in pairs),
            "added_to_by": sum(target == node.index for _, target in pairs),
        }
        for node in bench.backbone.graph.nodes
    ]
