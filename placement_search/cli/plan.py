"""``plan``: what a search would be, before it is started."""

import inspect
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from placement_search.backbones.settings import ModelSettings
from placement_search.cli.bundles import with_bundles
from placement_search.cli.options import DEFAULTS, Format, FormatOption, exit_codes
from placement_search.cli.output import Row, print_facts, print_json, print_rows
from placement_search.cli.progress import StderrProgress
from placement_search.cli.search import search, starts_of
from placement_search.evaluation.plan import TrainingPlan
from placement_search.layout import shortened
from placement_search.space.extent import Extent
from placement_search.space.training import TrainingSpace
from placement_search.study.settings import SearchSettings
from placement_search.tasks.settings import DataSettings

if TYPE_CHECKING:
    from placement_search.evaluation.workbench import Workbench
    from placement_search.study.outline import Outline, Sampled

TRAINING = (
    "epochs", "batch_size", "learning_rate", "weight_decay", "warm_up", "reports_per_epoch",
    "consistency", "drop_lowest",
)  # fmt: skip
RENAMED = {"finalists": "n_finalists", "seeds": "n_seeds"}
OWN = frozenset({"model", "data", "form"})
"""What ``plan`` itself takes."""
WRITTEN = frozenset({"out", "profile"})
"""Options of ``search`` about what it writes and says, which ``plan`` does not have."""
SHARED = tuple(
    name
    for name in inspect.signature(inspect.unwrap(search)).parameters
    if name not in OWN | WRITTEN
)
"""All others: they mean what they mean to ``search``, and are the same objects."""
FOR_PROGRAMS = frozenset({
    "n_layouts", "log10_n_layouts", "is_exact", "min_parameters", "max_parameters",
})  # fmt: skip
"""Facts that a table leaves out, since ``size`` and ``parameters_per_layout`` say them."""


def _as_settings(
    model: ModelSettings, data: DataSettings, options: dict[str, Any]
) -> SearchSettings:
    training = TrainingPlan(**{name: options.pop(name) for name in TRAINING})
    options["proxy_map"] = not options.pop("no_map")
    options["start_from"] = starts_of(options.pop("start_from") or [])
    options["gammas"] = tuple(options.pop("gamma") or DEFAULTS.gammas)
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

    It takes the options of that search, but for --out and --profile.

    Example: placement-search plan --space extended --max-params 1% --n-trials 40
    """
    with exit_codes():
        is_quiet = options.pop("quiet")
        settings = _as_settings(model, data, options)
        from placement_search.study.checks import check_settings
        from placement_search.study.outline import outline
        from placement_search.study.search import load_bench, say_precision

        # Before minutes of loading.
        check_settings(settings)
        with StderrProgress(is_quiet=is_quiet) as progress:
            progress.start("model and data", 1)
            bench = load_bench(settings.model, settings.data, memory=settings.memory)
            say_precision(settings.model, bench, progress)
            progress.start("short trainings", 1)
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
    sample, notes = [_layout_row(each) for each in made.sample], _notes(settings, bench, made)
    if form is Format.JSON:
        print_json({**facts, "notes": notes, "sample": sample, "nodes": nodes})
        return
    if form is Format.CSV:
        said = [("notes", f"{what}: {note}") for what, note in notes.items()]
        named = [*facts.items(), *said, *(("sample", row["layout"]) for row in sample)]
        print_rows([{"what": name, "value": value} for name, value in named], form)
        return
    ends = {name: shortened(str(facts[name])) for name in ("cheap_layout", "dear_layout")}
    shown = {name: fact for name, fact in facts.items() if name not in FOR_PROGRAMS}
    print_facts({**shown, **ends}, form)
    noted: list[Row] = [{"what": what, "note": note} for what, note in notes.items()]
    for title, rows in (
        ("what there is to say of its trials", noted),
        ("a sample of its layouts", sample),
        ("its nodes", nodes),
    ):
        if rows:
            typer.echo("")
            print_rows(rows, form, title=title)


def _notes(settings: SearchSettings, bench: "Workbench", made: "Outline") -> dict[str, str]:
    """What a search would say of its baselines and layouts from elsewhere, and what limits it.

    Before that, rules of the space that do nothing: a slip, or meant for other kinds.
    """
    from placement_search.space.file import read_space
    from placement_search.space.groups import idle_rules
    from placement_search.space.node_names import Stream

    facts = bench.backbone.facts
    idle = idle_rules(read_space(settings.space), Stream(facts.n_nodes, facts.sublayers))
    named = f"{', '.join(idle)}: no connection that the space admits, so this changes nothing"
    limit, took = settings.max_seconds, made.durations
    is_cut = limit is not None and took.search >= max(0.0, limit - took.switches)
    cut = {"--max-seconds": "may end the search before the sampler has proposed so many"}
    of_space = {"space": named} if idle else {}
    return {**of_space, **made.queue.notes, **(cut if is_cut else {})}


def _facts(settings: SearchSettings, made: "Outline") -> Row:
    space, seconds, extent, wired = made.space, made.durations, made.extent, made.connections
    log10 = math.log10(extent.n_layouts)
    return {
        "space": space.name,
        "size": size_words(extent, space.training),
        "n_layouts": extent.n_layouts if extent.is_counted and log10 < 15 else None,
        "log10_n_layouts": round(log10, 4),
        "is_exact": extent.is_exact,
        "n_training_settings": space.training.n_listed,
        "continuous_settings": " ".join(space.training.intervals) or "none",
        "n_candidates": len(space.pairs),
        "n_choices": len(space.groups),
        **{f"n_{kind.value}": count for kind, count in made.n_by_kind.items()},
        "choices_per_layout": _range(extent.sizes, is_exact=extent.is_exact),
        "connections_per_layout": _range((wired.fewest, wired.most), is_exact=wired.is_exact),
        "modules": " ".join(module.notation for module in space.modules),
        "budget": space.budget.describe(),
        "parameters_per_layout": _range(extent.parameters, is_exact=extent.is_exact),
        "min_parameters": extent.parameters[0],
        "max_parameters": extent.parameters[1],
        "n_trials": settings.n_trials,
        "n_baselines": made.n_baselines,
        "n_start_from": made.n_starts,
        "n_proposals": seconds.n_searched,
        "cheap_layout": made.cheap.layout.notation,
        "dear_layout": made.dear.layout.notation,
        "seconds_per_trial_cheap": _rounded(seconds.cheap_trial),
        "seconds_per_trial_dear": _rounded(seconds.dear_trial),
        "seconds_preparation": _rounded(seconds.preparation),
        "seconds_proxies": _rounded(seconds.proxies),
        "seconds_switches": _rounded(seconds.switches),
        "seconds_trials": _rounded(seconds.search),
        "seconds_finals": _rounded(seconds.finals),
        "seconds_total": _rounded(seconds.total),
        "seconds_leave_out": "; ".join(seconds.left_out),
    }


def size_words(extent: Extent, training: TrainingSpace) -> str:
    """How many layouts, exactly, within bounds or at most, and how many trainings of each."""
    number = _power(extent.n_layouts)
    words = f"{number} layout{'s' * (extent.n_layouts != 1)}"
    if extent.n_least and not extent.is_counted:
        least = _power(extent.n_least)
        words = f"about {words}" if least == number else f"{least} to {words}"
    elif not extent.is_counted:
        words = f"at most {words}, since counting what budget and conditions leave takes too long"
    if training.n_listed > 1:
        words += f"; each with {training.n_listed} training settings"
    if training.intervals:
        words += f"; any {' and '.join(training.intervals)} of an interval"
    return words


def _power(number: int) -> str:
    """A number, as a power of ten where it is long."""
    return f"{number:,}" if number < 10**15 else f"10^{math.log10(number):.1f}"


def _range(ends: tuple[int, int], *, is_exact: bool) -> str:
    """The lowest and the highest number, or bounds of them."""
    return f"{ends[0]} to {ends[1]}" if is_exact else f"within {ends[0]} and {ends[1]}"


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
