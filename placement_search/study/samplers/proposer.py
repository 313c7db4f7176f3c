"""The proposer: asks a sampler until a layout turns up that the study has not seen."""

import random
from collections.abc import Container

from threadpoolctl import ThreadpoolController

from placement_search.errors import StudyError
from placement_search.space.encoding import Encoding
from placement_search.study.samplers.brute_force import BruteForce
from placement_search.study.samplers.sampler import Proposal, Question, Sampler, Setting

N_DRAWN = 10_000
"""Random draws after all that the sampler would try; then a small space is gone through."""


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
        self._rest: BruteForce | None = None

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
        # What is left of a small space may be too rare among draws.
        for proposal in self._everything().unseen(seen):
            return proposal
        raise SpaceExhaustedError(
            f"no new layout is left in space {self._name!r}: the study has seen what there is"
        )

    @property
    def _name(self) -> str:
        return self._setting.encoding.space.name

    def _everything(self) -> BruteForce:
        """All layouts.

        Raises:
            SpaceExhaustedError: If they are too many to go through.
        """
        try:
            self._rest = self._rest or BruteForce(self._setting)
        except StudyError as error:
            raise SpaceExhaustedError(
                f"no new layout in {N_DRAWN:,} draws from space {self._name!r}: hardly one can be "
                "left"
            ) from error
        return self._rest


def drawn(encoding: Encoding, generator: random.Random) -> Proposal:
    """A layout from uniform numbers of the encoding."""
    params: dict[str, float | int] = {
        gene.name: generator.random()
        if gene.n_values is None
        else generator.randrange(gene.n_values)
        for gene in encoding.genes
    }
    return Proposal.meant(encoding, params)
