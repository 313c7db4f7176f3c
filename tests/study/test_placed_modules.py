"""Baselines, references and samplers of spaces whose modules do not fit everywhere."""

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placement_search.errors import StudyError
from placement_search.layout import Layout, parse_layout
from placement_search.space.budget import Budget
from placement_search.space.encoding import Encoding
from placement_search.space.search_space import SearchSpace
from placement_search.study.baselines import baseline_notes, make_baselines
from placement_search.study.engines import lowest_layout
from placement_search.study.equal_budget import (
    EVENLY_SPREAD,
    GREEDY,
    equal_budget_baselines,
)
from placement_search.study.progress import Silence
from placement_search.study.queue import check_starts, make_queue
from placement_search.study.records import StudyRecord
from placement_search.study.references import References
from placement_search.study.samplers import SAMPLERS
from placement_search.study.samplers.gradient_guided import greedy_layouts
from placement_search.study.spending import affordable
from placement_search.study.starts import StartLayout
from tests.placed_types import TYPES, add_to_tables, counted, misfits, places_of
from tests.study.samplers.asking import layouts_of, made_up_proxies, searched, setting_of
from tests.study.stub_engine import StubEngine
from tests.study.test_queue import NEW
from tests.study.test_references import with_finals
from tests.tiny_spaces import N_NODES, WIDTH, bound, space_file

PLACES = places_of(12, WIDTH)
INNER = {"type": "inner", "rank": [1, 4]}
PLAIN = {"type": "bottleneck", "rank": 4}
COMMON = {"type": "common", "rank": 4}
PARALLEL, SEQUENTIAL, LAST = "every layer, parallel", "every layer, sequential", "last layers"
EVERY_ATTENTION = [(node, node + 1) for node in range(0, 24, 2)]
SLOW = SAMPLERS.keys() - {"random", "gradient-guided"}
SCORES = made_up_proxies()["effective_rank"]


def placed(budget: Budget | None = None, /, **changes: object) -> SearchSpace:
    return bound(space_file(**changes), None, TYPES, budget=budget, places=PLACES)


def all_baselines(space: SearchSpace) -> dict[str, Layout]:
    further = equal_budget_baselines(space, TYPES, N_NODES, SCORES).baselines
    return {b.role: b.layout for b in make_baselines(space, N_NODES, 3, 0, further)}


def ends(layout: Layout) -> list[tuple[int, int]]:
    return [(c.source, c.target) for c in layout.connections]


def test_every_layer_is_every_one_that_the_module_fits() -> None:
    """Twelve of 24 are attention; after one, where no module inside can be, there is nothing."""
    space = placed(modules=[INNER], connections={"at_most": 3})
    made, notes = all_baselines(space), baseline_notes(space, N_NODES)

    assert ends(made[PARALLEL]) == EVERY_ATTENTION
    assert ends(made[LAST]) == EVERY_ATTENTION[-3:]
    assert SEQUENTIAL not in made
    assert notes == {
        PARALLEL: "at 12 of 24 places: 1>2:inner(rank=4) works in attention alone",
        SEQUENTIAL: "left out: 1>1:inner(rank=4) has to go around one sub-layer",
        LAST: "at 12 of 24 places: 1>2:inner(rank=4) works in attention alone",
    }


def test_modules_that_fit_everywhere_need_no_notes() -> None:
    """As before."""
    assert baseline_notes(placed(modules=[PLAIN]), N_NODES) == {}


def test_the_queue_has_the_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whence they get to the report."""
    add_to_tables(monkeypatch)
    notes = make_queue(NEW, placed(modules=[INNER]), None).notes

    assert notes[SEQUENTIAL].startswith("left out: 1>1:inner(rank=4)")
    assert notes[f"{SEQUENTIAL}, same budget"].startswith("left out: 1>1:inner(rank=4)")


@pytest.mark.slow
@given(
    modules=st.sampled_from([[INNER], [INNER, PLAIN], [COMMON, INNER], [COMMON]]),
    module_per=st.sampled_from(["layout", "connection"]),
    always=st.sampled_from([[], ["4>5"], ["3>9"]]),
    limit=st.one_of(st.none(), st.integers(3000, 60_000)),
    at_most=st.integers(1, 14),
)
@settings(deadline=None, max_examples=50)
def test_no_baseline_has_a_module_where_it_does_not_fit(
    modules: list[object], module_per: str, always: list[str], limit: int | None, at_most: int
) -> None:
    """Those of equal budget stay within it, the random and the greedy ones are the space's own."""
    if modules == [INNER] and always == ["3>9"]:
        modules = [INNER, PLAIN]
    space = placed(
        Budget(limit),
        modules=modules,
        module_per=module_per,
        always=always,
        connections={"at_most": at_most},
    )
    for role, layout in all_baselines(space).items():
        assert not misfits(layout, PLACES), (role, layout.notation)
        if role.startswith("random") or role == GREEDY:
            assert space.contains(layout)
        if role.endswith("same budget") or (limit and role in {LAST, EVENLY_SPREAD}):
            assert counted(layout, PLACES) <= affordable(space)


def test_evenly_spread_places_are_those_that_fit() -> None:
    """Three of twelve attentions."""
    made = all_baselines(placed(modules=[INNER]))

    assert ends(made[EVENLY_SPREAD]) == [EVERY_ATTENTION[place] for place in (2, 6, 10)]


def test_greedy_choices_are_made_among_places_that_fit() -> None:
    """As many as are asked for, with the module that was asked for."""
    space = placed(modules=[INNER, PLAIN], module_per="connection", connections={"exactly": 5})
    made = list(greedy_layouts(setting_of(Encoding(space))))
    sorts = [{c.module.notation for c in layout.connections} for layout in made]

    assert {"inner(rank=4)"} in sorts and {"bottleneck(rank=4)"} in sorts
    assert all(len(layout.connections) == 5 and space.contains(layout) for layout in made)


def test_the_lowest_layout_is_one_that_can_be_built() -> None:
    """An engine tries with it how much fits into memory."""
    inner = placed(modules=[INNER], sources=["4-9"])

    assert lowest_layout(placed(modules=[PLAIN])).notation == "0>1:bottleneck(rank=4)"
    assert not misfits(lowest_layout(inner), PLACES)
    assert not misfits(lowest_layout(placed(modules=[INNER, PLAIN])), PLACES)


@pytest.mark.parametrize(
    "sampler",
    [
        pytest.param(each, marks=pytest.mark.slow if each in SLOW else ())
        for each in SAMPLERS
        if each != "brute-force"
    ],
)
@pytest.mark.parametrize("module_per", ["layout", "connection"])
def test_no_sampler_proposes_what_does_not_fit(
    sampler: str, module_per: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of its layouts is the space's own, before and after it has learned something."""
    add_to_tables(monkeypatch)
    space = placed(Budget(9000), modules=[INNER, PLAIN, COMMON], module_per=module_per)
    trials = searched(setting_of(Encoding(space)), sampler, 12)
    made = [parse_layout(notation, TYPES) for notation in layouts_of(trials)]

    assert all(space.contains(layout) and not misfits(layout, PLACES) for layout in made)


def start(notation: str) -> StartLayout:
    return StartLayout(notation, "digits", "first", "abc", "accuracy", 0.9, 3)


def test_random_layouts_like_one_from_elsewhere_fit_too(
    monkeypatch: pytest.MonkeyPatch, study: optuna.Study
) -> None:
    """Its module is none of the space's, whose connections it fits at twelve places."""
    add_to_tables(monkeypatch)
    engine = StubEngine()
    references = References(study, engine, placed(modules=[PLAIN]), Silence())
    layout = parse_layout("0>1:inner(rank=4)+3>9:bottleneck(rank=4)", TYPES)
    record: StudyRecord = with_finals("1>1:bottleneck(rank=4)")
    drawn = references._draw(record, layout, set())

    assert len(drawn) == record.definition.n_random
    assert all(not misfits(each, PLACES) for each in drawn)
    assert references._draw(record, parse_layout("0>1:inner(rank=4)", TYPES), set())


def test_none_are_drawn_where_the_space_has_no_place_for_them(
    monkeypatch: pytest.MonkeyPatch, study: optuna.Study
) -> None:
    """A space without parallel connections."""
    add_to_tables(monkeypatch)
    space = placed(modules=[PLAIN], kinds=["long_range"])
    references = References(study, StubEngine(), space, Silence())
    record = with_finals("1>1:bottleneck(rank=4)")

    assert references._draw(record, parse_layout("0>1:inner(rank=4)", TYPES), set()) == []


def test_a_start_whose_module_does_not_fit_the_backbone_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before anything is trained, with the reason."""
    add_to_tables(monkeypatch)
    named = {"start: digits": "1>2:inner(rank=4)", "start: count": "0>1:inner(rank=4)"}
    starts = {role: start(notation) for role, notation in named.items()}
    with pytest.raises(StudyError, match="works in attention alone") as raised:
        check_starts(starts, N_NODES, PLACES, "embedded")

    assert "start: digits" in str(raised.value)
    assert "start: count" not in str(raised.value)


def test_that_random_baselines_are_all_alike_is_said() -> None:
    """Where a layout may have the module at every place that it fits, there is one such layout."""
    space = bound(
        space_file(
            kinds=["parallel"], targets=["attention"], connections={"at_most": 12},
            modules=[{"type": "hadamard"}],
        )
    )  # fmt: skip

    assert "every place that it fits" in baseline_notes(space, 25)["random"]
    assert "random" not in baseline_notes(bound(), 25)
