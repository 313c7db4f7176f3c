"""The samplers, one line each, and the proposer that never proposes a layout twice."""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from placement_search.errors import StudyError
from placement_search.layout import Layout
from placement_search.space.encoding import Encoding, Gene
from placement_search.study.seeds import derive_seed

SAMPLERS: Mapping[str, Callable[[int], BaseSampler]] = {
    "random": lambda seed: RandomSampler(seed=seed),
    "tpe": lambda seed: TPESampler(seed=seed, n_startup_trials=8, multivariate=True),
}
"""Each gives a sampler from a seed."""

N_SAMPLED = 20
"""Attempts of the sampler to find a new layout, before random draws take over."""
N_DRAWN = 10_000
"""Random draws before the space counts as exhausted."""


class SpaceExhaustedError(StudyError):
    """No layout that is new to the study could be found."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A layout to evaluate and the numbers of the encoding that mean it."""

    layout: Layout
    params: dict[str, float | int]


def distribution(gene: Gene) -> BaseDistribution:
    """The Optuna distribution of one number of the encoding."""
    if gene.n_values is None:
        return FloatDistribution(0.0, 1.0)
    return IntDistribution(0, gene.n_values - 1)


class Proposer:
    """Asks an Optuna sampler for layouts that the study has not seen.

    The sampler works on a copy of the study in memory that holds the trials of the space alone:
    baselines outside it, such as an adapter in every layer, would count among the best trials
    without telling the sampler anything. Every attempt has its own seed, from the study's seed and
    the trial's number, so a study that was interrupted goes on as if it had not been.
    """

    def __init__(
        self, encoding: Encoding, sampler: str, seed: int, direction: StudyDirection
    ) -> None:
        self._encoding = encoding
        self._make_sampler = SAMPLERS[sampler]
        self._seed = seed
        self._distributions = {gene.name: distribution(gene) for gene in encoding.genes}
        self._copy = optuna.create_study(direction=direction)
        self._n_copied = 0

    def propose(
        self, history: Sequence[FrozenTrial], number: int, seen: Container[str]
    ) -> Proposal:
        """A layout whose id is not in ``seen``.

        Args:
            history: All finished trials so far; only ever extended between calls.
            number: The number that the new trial will have.
            seen: Ids of the layouts evaluated before.

        Raises:
            SpaceExhaustedError: If no new layout turned up.
        """
        self._learn(history)
        for attempt in range(N_SAMPLED + N_DRAWN):
            seed = derive_seed(self._seed, "ask", number, attempt)
            sampled = attempt < N_SAMPLED
            self._copy.sampler = self._make_sampler(seed) if sampled else RandomSampler(seed=seed)
            params = self._ask()
            layout = self._encoding.decode(params)
            if layout.id not in seen:
                return Proposal(layout, params)
        raise SpaceExhaustedError(
            f"no new layout in {N_SAMPLED + N_DRAWN:,} draws from space "
            f"{self._encoding.space.name!r}: the study has seen what there is"
        )

    def _ask(self) -> dict[str, float | int]:
        trial = self._copy.ask(self._distributions)
        self._copy.tell(trial, state=TrialState.FAIL)
        return dict(trial.params)

    def _learn(self, history: Sequence[FrozenTrial]) -> None:
        """Copy the trials that came since the last call and that the encoding can express."""
        for trial in history[self._n_copied :]:
            is_scored = trial.state in {TrialState.COMPLETE, TrialState.PRUNED}
            if is_scored and trial.params.keys() == self._distributions.keys():
                self._copy.add_trial(
                    optuna.create_trial(
                        state=trial.state,
                        value=trial.value,
                        params=trial.params,
                        distributions=self._distributions,
                        intermediate_values=trial.intermediate_values,
                    )
                )
        self._n_copied = len(history)
