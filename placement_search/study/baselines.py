"""The baselines: layouts that every study evaluates first, since the answer is measured by them."""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from placement_search.layout import Connection, Layout, ModuleSpec
from placement_search.space.choices import Choice
from placement_search.space.node_names import Pair
from placement_search.space.search_space import SearchSpace


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
) -> list[Baseline]:
    """The baselines of a study, first to last; a layout that would repeat is left out.

    All use one module, the one with which the most connections that the space and its budget admit
    come nearest to the budget, so that random layouts cost what an answer may cost; where modules
    may differ, random ones spend what is left on others, see `random_of`. The last layers have as
    many connections; the every-layer ones put a connection at each sub-layer that the
    module fits and are references outside the budget. What has no place that the module fits is
    left out, see `baseline_notes`.

    Args:
        space: The space, whose candidates the random layouts are drawn from.
        n_nodes: Nodes of the backbone.
        n_random: How many random layouts.
        seed: Fixes them.
        further: Others that stand before the random ones.
    """
    number, most = dearest(space)
    module, generator = space.modules[number], random.Random(seed)  # noqa: S311 - reproducible
    drawn = [random_of(space, number, most, generator) for _ in range(n_random)]
    n_last = len(drawn[0].connections) if drawn else most
    layers = {r: where_it_fits(space, module, p)[0] for r, p in every_layer(n_nodes).items()}
    before = layers[EVERY_PARALLEL]
    last = most_payable(space, module, n_last, lambda n: before[-n:])
    named = [(role, pairs) for role, pairs in (*layers.items(), (LAST_LAYERS, last)) if pairs]
    made = [
        Baseline(HEAD_ONLY, Layout()),
        *(Baseline(role, wired(pairs, module)) for role, pairs in named),
        *further,
        *(Baseline(f"{RANDOM} {index}", layout) for index, layout in enumerate(drawn, start=1)),
    ]
    return without_repeats(made)


def baseline_notes(space: SearchSpace, n_nodes: int) -> dict[str, str]:
    """By role, why one of `make_baselines` is missing, or has fewer connections than its name says.

    Args:
        space: The space.
        n_nodes: Nodes of the backbone.
    """
    number, most = dearest(space)
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


def dearest(space: SearchSpace) -> tuple[int, int]:
    """The module, and how many groups of connections with it, that spend most of the budget."""
    counts = [space.choices.most(number) for number in range(len(space.modules))]
    enough = [number for number, count in enumerate(counts) if count >= space.at_least]
    if not enough:  # no module will do for all connections of a layout
        return 0, space.at_least
    shared = space.table.parameters.shared or [0] * len(counts)
    worth = [(counts[i] * cost + shared[i], cost) for i, cost in enumerate(space.costs)]
    number = max(enough, key=worth.__getitem__)
    return number, counts[number]


def random_of(space: SearchSpace, module: int, n: int, generator: random.Random) -> Layout:
    """A random layout of ``n`` groups with one module, as far as conditions allow.

    Where connections may have different modules, what that leaves of the budget is spent on dearer
    ones and on further groups.
    """
    choices = space.choices
    always, free = sorted(choices.always), choices.fitting(module)
    groups = always + generator.sample(free, min(n - len(always), len(free)))
    made = choices.filled([(group, module) for group in groups], n)
    return space.layout_of(made if space.is_module_shared else spent(space, made, generator))


def spent(
    space: SearchSpace, chosen: Sequence[Choice], generator: random.Random | None = None
) -> list[Choice]:
    """A legal set of choices made dearer one at a time, as long as that stays legal.

    Each gets the dearest module that it can have, and each further group that can be had is added.

    Args:
        space: What contains the set.
        chosen: The set.
        generator: Draws in which order; None for the given one, and then by number.
    """
    choices, made = space.choices, list(chosen)
    places = list(range(len(made)))
    further = [group for group in choices.free if group not in {each for each, _ in made}]
    if generator is not None:
        generator.shuffle(places)
        generator.shuffle(further)
    for place in places:
        rest = [*made[:place], *made[place + 1 :]]
        made[place] = _dearest_legal(space, rest, made[place][0]) or made[place]
    stuck = set[int]()
    for group in further:
        if len(made) == space.at_most:
            break
        if choices.alike[group] not in stuck:
            more = _dearest_legal(space, made, group)
            made += [more] if more else []
            stuck |= set() if more else {choices.alike[group]}
    return made


def _dearest_legal(space: SearchSpace, others: Sequence[Choice], group: int) -> Choice | None:
    """A group with the dearest module that it can have beside others; None where it has none."""
    options = [
        (space.cost(space.layout_of(made)), module)
        for module in space.choices.modules_of(group)
        if space.choices.contains(made := [*others, (group, module)])
    ]
    return (group, max(options)[1]) if options else None


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


def most_payable(
    space: SearchSpace, module: ModuleSpec, n: int, places: Callable[[int], Sequence[Pair]]
) -> Sequence[Pair]:
    """The most of ``n`` places whose connections the budget can pay for; they may be dear ones.

    Args:
        space: Whose budget.
        module: One of its modules.
        n: At most so many.
        places: Gives so many of them.
    """
    found = (places(fewer) for fewer in range(n, 0, -1))
    costs = ((pairs, space.predicted(wired(pairs, module))) for pairs in found)
    return next((pairs for pairs, cost in costs if not space.budget.excess(cost)), [])


def wired(pairs: Iterable[Pair], module: ModuleSpec) -> Layout:
    """A connection with this module at each place."""
    return Layout(tuple(Connection(source, target, module) for source, target in pairs))
