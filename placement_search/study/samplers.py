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

SCORED = (TrialState.COMPLETE, TrialState.PRUNED)


class WholeSpaceTPE(TPESampler):
    """TPE for studies whose trials all have the same parameters, which it need not intersect."""

    def infer_relative_search_space(
        self,
        study: optuna.Study,
        trial: FrozenTrial,  # noqa: ARG002 - Optuna's
    ) -> dict[str, BaseDistribution]:
        """All parameters by name that have more than one value; none before there is a trial."""
        known = study.get_trials(deepcopy=False, states=SCORED)
        found = known[-1].distributions if known else {}
        return {name: found[name] for name in sorted(found) if not found[name].single()}


SAMPLERS: Mapping[str, Callable[[int], BaseSampler]] = {
    "random": lambda seed: RandomSampler(seed=seed),
    "tpe": lambda seed: WholeSpaceTPE(seed=seed, n_startup_trials=8, multivariate=True),
}
"""Each gives a sampler from a seed."""

N_RECENT, N_BEST, STRIDE = 300, 25, 100
"""In a long study a sampler works on the last trials, so many at least, and on the best before.

TPE looks at every trial to propose one. Its model of good layouts is made of the best 25 at most,
which all stay; that of the others, where the oldest weigh least, then lacks the oldest. They are
left out a stride at a time.
"""
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
        self,
        encoding: Encoding,
        sampler: str,
        seed: int,
        directions: Sequence[StudyDirection],
    ) -> None:
        self._encoding = encoding
        self._make_sampler = SAMPLERS[sampler]
        self._seed = seed
        self._distributions = {gene.name: distribution(gene) for gene in encoding.genes}
        self._directions = list(directions)
        self._n_learned = 0
        self._scored: list[FrozenTrial] = []
        self._n_left_out = 0
        self._copy = optuna.create_study(directions=self._directions)

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
        fresh = [self._template(t) for t in history[self._n_learned :] if self._is_telling(t)]
        self._n_learned = len(history)
        self._scored += fresh
        n_left_out = max(0, (len(self._scored) - N_RECENT) // STRIDE * STRIDE)
        if n_left_out > self._n_left_out:
            self._n_left_out = n_left_out
            self._copy = optuna.create_study(directions=self._directions)
            fresh = [*self._best(n_left_out), *self._scored[n_left_out:]]
        self._copy.add_trials(fresh)

    def _is_telling(self, trial: FrozenTrial) -> bool:
        return trial.state in SCORED and trial.params.keys() == self._distributions.keys()

    def _template(self, trial: FrozenTrial) -> FrozenTrial:
        return optuna.create_trial(
            state=trial.state,
            values=trial.values,
            params=trial.params,
            distributions=self._distributions,
            # TPE compares pruned trials by these, and fails where there are several objectives.
            intermediate_values=trial.intermediate_values if len(self._directions) == 1 else {},
        )

    def _best(self, n_first: int) -> list[FrozenTrial]:
        """The complete ones of the first trials with the best scores, in their order."""
        sign = -1 if self._directions[0] is StudyDirection.MAXIMIZE else 1
        complete = [
            (sign * (trial.values or [0.0])[0], index)
            for index, trial in enumerate(self._scored[:n_first])
            if trial.state is TrialState.COMPLETE
        ]
        return [self._scored[index] for index in sorted(i for _, i in sorted(complete)[:N_BEST])]
