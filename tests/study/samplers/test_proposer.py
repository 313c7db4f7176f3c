from collections.abc import Iterator

import torch
from threadpoolctl import threadpool_info, threadpool_limits

from placement_search.study.samplers.proposer import Proposer
from placement_search.study.samplers.sampler import Proposal, Question
from tests.study.samplers.asking import ENCODING, proposer_of, setting_of

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
