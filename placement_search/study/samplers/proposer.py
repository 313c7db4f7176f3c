"""The proposer: asks a sampler until a layout turns up that the study has not seen."""

import random
from collections.abc import Container

from threadpoolctl import ThreadpoolController

from placement_search.errors import StudyError
from placement_search.space.encoding import Encoding
from placement_search.study.samplers.sampler import Proposal, Question, Sampler, Setting

N_DRAWN = 10_000
"""Random draws, after all that the sampler would try, before the space counts as exhausted."""


class SpaceExhaustedError(StudyError):
    """No layout that is new to the study could be found."""


class Proposer:
    """Never proposes a layout twice.

    A sampler thinks in one thread: its matrices are small, and beside trainings threads that wait
    for each other take several times as long (docs/decisions/0007-threads.md).

    Args:
        setting: What the sampler works on.
        sampler: Asked first.
    """

    def __init__(self, setting: Setting, sampler: Sampler) -> None:
        self._setting = setting
        self._sampler = sampler
        self._threads = ThreadpoolController()

    def propose(self, question: Question, seen: Container[str]) -> Proposal:
        """A layout whose id is not in ``seen``.

        Args:
            question: What may be known.
            seen: Ids of the layouts of all earlier trials, with their training settings.

        Raises:
            SpaceExhaustedError: If no new layout turned up.
        """
        with self._threads.limit(limits=1):
            for proposal in self._sampler.proposals(question):
                if proposal.id not in seen:
                    return proposal
        for attempt in range(N_DRAWN):
            seed = self._setting.seed_of(question.number, "draw", attempt)
            proposal = drawn(self._setting.encoding, random.Random(seed))  # noqa: S311
            if proposal.id not in seen:
                return proposal
        space = self._setting.encoding.space
        raise SpaceExhaustedError(
            f"no new layout in {N_DRAWN:,} draws from space {space.name!r}: "
            "the study has seen what there is"
        )


def drawn(encoding: Encoding, generator: random.Random) -> Proposal:
    """A layout from uniform numbers of the encoding."""
    params: dict[str, float | int] = {
        gene.name: generator.random()
        if gene.n_values is None
        else generator.randrange(gene.n_values)
        for gene in encoding.genes
    }
    return Proposal.meant(encoding, params)
