"""The baselines: layouts that every study evaluates first, since the answer is measured by them."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from placement_search.layout import Layout, ModuleSpec
from placement_search.space.node_names import Pair
from placement_search.space.search_space import SearchSpace
from placement_search.study.definition import NEWEST_BASELINES
from placement_search.study.spending import at_places, dearest, random_of, wired


@dataclass(frozen=True, slots=True)
class Baseline:
    """A layout with the role that it plays in a study."""

    role: str
    layout: Layout


HEAD_ONLY = "head only"
EVERY_PARALLEL = "every layer, parallel"
EVERY_SEQUENTIAL = "every layer, sequential"
LAST_LAYERS = "last layers"
RANDOM = "random"


def make_baselines(
    space: SearchSpace,
    n_nodes: int,
    n_random: int,
    seed: int,
    further: Sequence[Baseline] = (),
    baseline_set: int = NEWEST_BASELINES,
) -> list[Baseline]:
    """The baselines of a study, first to last; a layout that would repeat is left out.

    All use one module, the one with which the most connections that the space and its budget admit
    come nearest to the budget, so that random layouts cost what an answer may cost, or as near to
    it as groups of connections that come together let them; where modules may differ, what is left
    is spent on others, see `random_of`. The last layers have as many connections, or cost as much,
    see `at_places`; the every-layer ones put a connection at each sub-layer that the module fits
    and are references outside the budget. What has no place that the module fits is left out, see
    `baseline_notes`.

    Args:
        space: The space, whose candidates the random layouts are drawn from.
        n_nodes: Nodes of the backbone.
        n_random: How many random layouts.
        seed: Fixes them.
        further: Others that stand before the random ones.
        baseline_set: See `StudyDefinition`.
    """
    number, most = dearest(space, baseline_set)
    module, generator = space.modules[number], random.Random(seed)  # noqa: S311 - reproducible
    drawn = [random_of(space, number, most, generator, baseline_set) for _ in range(n_random)]
    n_last = len(drawn[0].connections) if drawn else most
    layers = {r: where_it_fits(space, module, p)[0] for r, p in every_layer(n_nodes).items()}
    before = layers[EVERY_PARALLEL]
    last = at_places(space, number, n_last, len(before), lambda n: before[-n:], baseline_set)
    made = [
        Baseline(HEAD_ONLY, Layout()),
        *(Baseline(role, wired(pairs, module)) for role, pairs in layers.items() if pairs),
        *([Baseline(LAST_LAYERS, last)] if last else []),
        *further,
        *(Baseline(f"{RANDOM} {index}", layout) for index, layout in enumerate(drawn, start=1)),
    ]
    return without_repeats(made)


def baseline_notes(
    space: SearchSpace, n_nodes: int, baseline_set: int = NEWEST_BASELINES
) -> dict[str, str]:
    """By role, why one of `make_baselines` is missing, or has fewer connections than its name says.

    Args:
        space: The space.
        n_nodes: Nodes of the backbone.
        baseline_set: See `StudyDefinition`.
    """
    number, most = dearest(space, baseline_set)
    module = space.modules[number]
    said = {r: where_it_fits(space, module, p)[1] for r, p in every_layer(n_nodes).items()}
    said[LAST_LAYERS] = said[EVERY_PARALLEL]
    if most - len(space.choices.always) >= len(space.choices.fitting(number)):
        said[RANDOM] = (
            f"left out but for one: a layout may have {module.notation} at every place that it "
            "fits, so there is one layout that spends so much"
        )
    return {role: note for role, note in said.items() if note}


def without_repeats(made: Sequence[Baseline]) -> list[Baseline]:
    """The first of each layout."""
    first = {baseline.layout.id: baseline for baseline in reversed(made)}
    return [baseline for baseline in made if first[baseline.layout.id] is baseline]


def every_layer(n_nodes: int) -> dict[str, list[Pair]]:
    """The places of a connection at each sub-layer, parallel to it and after it, by role."""
    nodes = range(1, n_nodes)
    return {
        EVERY_PARALLEL: [(node - 1, node) for node in nodes],
        EVERY_SEQUENTIAL: [(node, node) for node in nodes],
    }


def where_it_fits(
    space: SearchSpace, module: ModuleSpec, pairs: Sequence[Pair]
) -> tuple[list[Pair], str]:
    """Those of the places that a module of a space fits, and a note where it does not fit all."""
    classes = space.table.classes
    reasons = [classes.misfit(module, pair) for pair in pairs]
    fitting = [pair for pair, reason in zip(pairs, reasons, strict=True) if not reason]
    if len(fitting) == len(pairs):
        return fitting, ""
    number = next(index for index, reason in enumerate(reasons) if reason)
    head = f"at {len(fitting)} of {len(pairs)} places" if fitting else "left out"
    source, target = pairs[number]
    return fitting, f"{head}: {source}>{target}:{module.notation} {reasons[number]}"
