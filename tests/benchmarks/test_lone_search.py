"""A search without a study knows as little of what is under way as one with a study does."""

from collections.abc import Iterator

import pytest

from benchmarks.lone_search import LoneSearch
from benchmarks.placements.world import World
from placement_search.study.samplers import SAMPLERS
from placement_search.study.samplers.guided import Guided
from placement_search.study.samplers.sampler import Proposal, Question
from tests.benchmarks.made_up import N_NODES, SINGLES


@pytest.mark.parametrize(
    ("concurrency", "known"), [(1, [0, 1, 2, 3, 4, 5]), (4, [0, 0, 0, 0, 1, 2])]
)
def test_the_last_trials_are_known_by_layout_alone(
    monkeypatch: pytest.MonkeyPatch, concurrency: int, known: list[int]
) -> None:
    """Trial n knows the scores of those up to n - concurrency, and that the rest are under way."""
    asked: list[tuple[int, int]] = []

    class Spy(Guided):
        def proposals(self, question: Question) -> Iterator[Proposal]:
            asked.append((len(question.trials), len(question.pending)))
            return super().proposals(question)

    monkeypatch.setitem(SAMPLERS, "guided", Spy)
    world = World("made-up", SINGLES, {}, N_NODES)
    search = LoneSearch(world.space(set()), {}, "guided", 0, concurrency)
    for _ in known:
        search.tell(search.propose(), 0.5)

    assert asked == [(n, number - n) for number, n in enumerate(known)]
