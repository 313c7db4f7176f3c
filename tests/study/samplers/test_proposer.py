from collections.abc import Iterator

import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from placement_search.study.samplers import proposer
from placement_search.study.samplers.proposer import Proposer, SpaceExhaustedError
from placement_search.study.samplers.sampler import Proposal, Question
from tests.study.samplers.asking import ENCODING, SMALL, proposer_of, setting_of

SETTING = setting_of(ENCODING)


def n_threads() -> set[int]:
    """Of all libraries that know threads, and of torch."""
    return {torch.get_num_threads(), *(each["num_threads"] for each in threadpool_info())}


def test_a_sampler_thinks_in_one_thread_and_gives_the_others_back() -> None:
    """Small matrices wait for threads that trainings beside them keep busy."""
    during = set[int]()

    class Watching:
        def proposals(self, question: Question) -> Iterator[Proposal]:
            during.update(n_threads())
            yield proposer_of("random", SETTING).propose(question, ())

    with threadpool_limits(2):
        Proposer(SETTING, Watching()).propose(Question(0, ()), ())
        after = n_threads()

    assert during == {1}
    assert after == {2}


class _Nothing:
    """A sampler without ideas."""

    def proposals(self, _question: Question) -> Iterator[Proposal]:
        return iter(())


def test_the_last_layout_of_a_small_space_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where draws meet it too rarely."""
    monkeypatch.setattr(proposer, "N_DRAWN", 0)
    asked, nothing_seen = Proposer(setting_of(SMALL), _Nothing()), Question(0, ())
    seen = set[str]()
    for _ in range(4):
        seen.add(asked.propose(nothing_seen, seen).id)

    assert len(seen) == 4
    with pytest.raises(SpaceExhaustedError, match="the study has seen what there is"):
        asked.propose(nothing_seen, seen)


def test_a_large_space_is_not_said_to_be_exhausted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draws say only that little can be left."""
    monkeypatch.setattr(proposer, "N_DRAWN", 0)

    with pytest.raises(SpaceExhaustedError, match="hardly one can be left"):
        Proposer(SETTING, _Nothing()).propose(Question(0, ()), ())
