import statistics
from collections.abc import Sequence

import optuna
import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from placement_search.layout import Layout
from placement_search.space.encoding import Encoding, Gene
from placement_search.study import samplers
from placement_search.study.samplers import (
    SAMPLERS,
    SCORED,
    Proposal,
    Proposer,
    SpaceExhaustedError,
    distribution,
)
from tests.tiny_spaces import bound, space_file

UP = (StudyDirection.MAXIMIZE,)
ENCODING = Encoding(bound())
SMALL = Encoding(
    bound(
        space_file(
            kinds=["sequential"], sources=["0-3"], connections={"at_most": 1},
            modules=[{"type": "bottleneck", "rank": 4}],
        )
    )
)  # fmt: skip


@pytest.fixture(params=SAMPLERS)
def name(request: pytest.FixtureRequest) -> str:
    """Each sampler in turn."""
    chosen: str = request.param
    return chosen


def closeness(layout: Layout) -> float:
    """A made-up score: how near all connections read to node 20 and write to node 5; at most 0."""
    return -statistics.fmean(abs(c.source - 20) + abs(c.target - 5) for c in layout.connections)


def told(
    encoding: Encoding,
    proposal: Proposal,
    state: TrialState = TrialState.COMPLETE,
) -> FrozenTrial:
    """The trial as a study holds it once its proposal was evaluated."""
    score = closeness(proposal.layout)
    return optuna.create_trial(
        state=state,
        value=None if state is TrialState.FAIL else score,
        params=proposal.params,
        distributions={gene.name: distribution(gene) for gene in encoding.genes},
        intermediate_values={1: score - 1, 2: score},
    )


def searched(encoding: Encoding, sampler: str, n_trials: int, seed: int = 0) -> list[Proposal]:
    """The proposals of a whole search, each told before the next is asked; some end otherwise."""
    proposer = Proposer(encoding, sampler, seed, UP)
    history: list[FrozenTrial] = []
    proposals: list[Proposal] = []
    for number in range(n_trials):
        seen = {proposal.layout.id for proposal in proposals}
        proposals.append(proposer.propose(history, number, seen))
        history.append(told(encoding, proposals[-1], end_of(number)))
    return proposals


def end_of(number: int) -> TrialState:
    return {3: TrialState.PRUNED, 5: TrialState.FAIL}.get(number % 7, TrialState.COMPLETE)


def history_of(encoding: Encoding, proposals: Sequence[Proposal]) -> list[FrozenTrial]:
    return [told(encoding, proposal, end_of(n)) for n, proposal in enumerate(proposals)]


def test_numbers_of_the_encoding_have_optunas_distributions() -> None:
    """The unit interval, or every integer below the number of values."""
    assert distribution(Gene("source_0")) == FloatDistribution(0, 1)
    assert distribution(Gene("module", 3)) == IntDistribution(0, 2)


def test_a_proposal_is_a_layout_of_the_space_with_its_numbers(name: str) -> None:
    """What is written down with the trial means the layout that is evaluated."""
    for proposal in searched(ENCODING, name, 12):
        assert ENCODING.space.contains(proposal.layout)
        assert ENCODING.decode(proposal.params) == proposal.layout


def test_what_was_seen_is_never_proposed(name: str) -> None:
    """A layout is trained once: a space of four gives its four in four proposals."""
    proposals = searched(SMALL, name, 4)

    assert len({proposal.layout.id for proposal in proposals}) == 4


def test_a_space_that_was_seen_whole_is_exhausted(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says so and names the space, for the search to end well."""
    monkeypatch.setattr(samplers, "N_DRAWN", 50)
    proposals = searched(SMALL, name, 4)
    seen = {proposal.layout.id for proposal in proposals}

    with pytest.raises(SpaceExhaustedError, match="'tiny'"):
        Proposer(SMALL, name, 0, UP).propose(history_of(SMALL, proposals), 4, seen)


def test_a_new_layout_is_found_even_where_the_sampler_insists_on_an_old_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Random draws take over from a sampler that has made up its mind, down to the last layout."""
    stuck = {"stuck": lambda _seed: optuna.samplers.RandomSampler(seed=0)}
    monkeypatch.setattr(samplers, "SAMPLERS", stuck)
    layouts = [SMALL.decode({"source_0": n / 4 + 0.1, "target_0": 0.5}) for n in range(4)]

    for last in layouts:
        seen = {layout.id for layout in layouts if layout != last}
        assert Proposer(SMALL, "stuck", 0, UP).propose([], 0, seen).layout == last


def test_a_resumed_search_goes_on_as_if_it_had_not_stopped(name: str) -> None:
    """A fresh proposer with the whole history says what the old one says, at any point."""
    proposals = searched(ENCODING, name, 16)

    for number in (0, 1, 9, 15):
        before = proposals[:number]
        seen = {proposal.layout.id for proposal in before}
        fresh = Proposer(ENCODING, name, 0, UP)
        assert fresh.propose(history_of(ENCODING, before), number, seen) == proposals[number]


def test_asking_again_gives_the_same_proposal(name: str) -> None:
    """History and number decide, not how often was asked."""
    proposer = Proposer(ENCODING, name, 0, UP)
    history = history_of(ENCODING, searched(ENCODING, name, 10))

    assert proposer.propose(history, 10, ()) == proposer.propose(history, 10, ())


def test_seed_and_number_decide(name: str) -> None:
    """Other seeds and other trials draw other numbers."""
    drawn = {
        Proposer(ENCODING, name, seed, UP).propose([], number, ()).layout.id
        for seed in range(3)
        for number in range(3)
    }

    # Nine draws from some 40 million layouts.
    assert len(drawn) == 9


def test_trials_outside_the_space_tell_the_sampler_nothing(name: str) -> None:
    """An adapter in every layer has no numbers; however good, it moves no proposal."""
    history = history_of(ENCODING, searched(ENCODING, name, 12))
    outside = optuna.create_trial(state=TrialState.COMPLETE, value=99.0)
    with_it, without = (
        Proposer(ENCODING, name, 0, UP).propose(given, 12, ())
        for given in ([outside, *history], history)
    )

    assert with_it == without


def test_tpe_learns_where_the_good_layouts_are() -> None:
    """After forty trials its proposals lie nearer to the optimum than random ones."""
    file = space_file(connections={"at_most": 1}, modules=[{"type": "bottleneck", "rank": 4}])
    encoding = Encoding(bound(file))
    late = {
        sampler: statistics.fmean(
            closeness(proposal.layout)
            for seed in (0, 1)
            for proposal in searched(encoding, sampler, 40, seed)[-15:]
        )
        for sampler in ("random", "tpe")
    }

    # Random connections lie 17 nodes away on average; half of that is no matter of luck over 30.
    assert late["random"] < -12
    assert late["tpe"] > late["random"] / 2


@pytest.fixture
def _short_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sampler that leaves trials out after twelve."""
    monkeypatch.setattr(samplers, "N_RECENT", 12)
    monkeypatch.setattr(samplers, "N_BEST", 3)
    monkeypatch.setattr(samplers, "STRIDE", 5)


@pytest.mark.usefixtures("_short_memory")
def test_a_long_search_that_is_resumed_goes_on_as_if_it_had_not_stopped(name: str) -> None:
    """What is left out depends on the history alone."""
    proposals = searched(ENCODING, name, 40)

    for number in (15, 27, 39):
        before = proposals[:number]
        seen = {proposal.layout.id for proposal in before}
        fresh = Proposer(ENCODING, name, 0, UP)
        assert fresh.propose(history_of(ENCODING, before), number, seen) == proposals[number]


@pytest.mark.usefixtures("_short_memory")
def test_a_sampler_works_on_the_last_trials_and_the_best(name: str) -> None:
    """As many as its memory has room for, the best complete ones among them."""
    history = history_of(ENCODING, searched(ENCODING, name, 60))
    proposer = Proposer(ENCODING, name, 0, UP)
    proposer.propose(history, 60, ())
    known = [trial.value for trial in proposer._copy.get_trials() if trial.state in SCORED]
    scored = [trial for trial in history if trial.state in SCORED]
    complete = [t.value for t in scored if t.state is TrialState.COMPLETE and t.value is not None]

    assert 12 + 3 <= len(known) < 12 + 3 + 5
    assert set(sorted(complete)[-3:]) <= set(known)
    assert known[-12:] == [trial.value for trial in scored][-12:]


def test_the_whole_space_is_what_optuna_finds_by_intersecting() -> None:
    """The faster way gives the same proposals."""
    history = history_of(ENCODING, searched(ENCODING, "tpe", 20))
    found = []
    for sampler in (samplers.WholeSpaceTPE, optuna.samplers.TPESampler):
        study = optuna.create_study(
            direction="maximize",
            sampler=sampler(seed=1, n_startup_trials=8, multivariate=True),
        )
        study.add_trials([trial for trial in history if trial.state in SCORED])
        distributions = {gene.name: distribution(gene) for gene in ENCODING.genes}
        found.append(study.ask(distributions).params)

    assert found[0] == found[1]
