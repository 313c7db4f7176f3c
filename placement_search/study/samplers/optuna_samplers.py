"""Optuna's samplers, working on a copy of the study in memory.

The copy holds the trials of the space alone: baselines outside it, such as an adapter in every
layer, would count among the best trials without telling the sampler anything. Every attempt has its
own seed, from the study's seed and the trial's number, so a study that was interrupted goes on as
if it had not been.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from placement_search.study.samplers.sampler import (
    SCORED,
    Proposal,
    Question,
    Setting,
    distributions,
)

MakeOptunas = Callable[[int], BaseSampler]
"""Gives one of Optuna's samplers from a seed."""

N_RECENT, N_BEST, STRIDE = 300, 25, 100
"""In a long study a sampler works on the last trials, so many at least, and on the best before.

TPE looks at every trial to propose one. Its model of good layouts is made of the best 25 at most,
which all stay; that of the others, where the oldest weigh least, then lacks the oldest. They are
left out a stride at a time. Where a cost is an objective too the whole front stays, however many.
"""
N_ATTEMPTS = 20
"""Layouts that it is asked for, one after the other, as long as they are old."""


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


class OptunaSampler:
    """One of Optuna's samplers that proposes from scores alone, whoever proposed what was scored.

    Args:
        setting: What it works on.
        make: The sampler.
    """

    def __init__(self, setting: Setting, make: MakeOptunas) -> None:
        self._setting = setting
        self._make = make
        self._distributions = distributions(setting.encoding)
        self._n_learned = 0
        self._scored: list[FrozenTrial] = []
        self._n_left_out = 0
        self._copy = optuna.create_study(directions=setting.directions)

    def proposals(self, question: Question) -> Iterator[Proposal]:
        """See `Sampler`."""
        self._learn(question.trials)
        for attempt in range(N_ATTEMPTS):
            self._copy.sampler = self._make(self._setting.seed_of(question.number, attempt))
            params = self._ask()
            yield Proposal.meant(self._setting.encoding, params)

    def _ask(self) -> dict[str, float | int]:
        trial = self._copy.ask(self._distributions)
        self._copy.tell(trial, state=TrialState.FAIL)
        return dict(trial.params)

    def _learn(self, history: Sequence[FrozenTrial]) -> None:
        """Copy the trials that came since the last call and that the encoding can express."""
        fresh = [
            template(trial, self._distributions)
            for trial in history[self._n_learned :]
            if is_telling(trial, self._distributions)
        ]
        self._n_learned = len(history)
        self._scored += fresh
        n_left_out = max(0, (len(self._scored) - N_RECENT) // STRIDE * STRIDE)
        if n_left_out > self._n_left_out:
            self._n_left_out = n_left_out
            self._copy = optuna.create_study(directions=self._setting.directions)
            fresh = [*self._best(n_left_out), *self._scored[n_left_out:]]
        self._copy.add_trials(fresh)

    def _best(self, n_first: int) -> list[FrozenTrial]:
        """The best complete ones of the first trials, in their order.

        Of several objectives the front is kept, then what scores best.
        """
        sign = -self._setting.sign
        complete = sorted(
            (sign * values[0], tuple(values[1:]), index)
            for index, trial in enumerate(self._scored[:n_first])
            if trial.state is TrialState.COMPLETE and (values := trial.values)
        )
        front = _front(complete) if len(self._setting.directions) > 1 else []
        best = [index for *_, index in complete]
        chosen = list(dict.fromkeys([*front, *best]))[: max(N_BEST, len(front))]
        return [self._scored[index] for index in sorted(chosen)]


class ReckoningSampler(OptunaSampler):
    """One of Optuna's samplers that reckons with what is under way.

    To it trials whose scores may not be known yet run beside the one it is asked for, and so does
    what it has just proposed and is old: its model would propose that again.
    """

    def __init__(self, setting: Setting, make: MakeOptunas) -> None:
        super().__init__(setting, make)
        self._under_way: list[int] = []

    def proposals(self, question: Question) -> Iterator[Proposal]:
        """See `Sampler`."""
        for number in self._under_way:
            self._copy.tell(number, state=TrialState.FAIL)
        self._under_way = []
        self._learn(question.trials)
        for trial in question.pending:
            if trial.params.keys() == self._distributions.keys():
                self._reckon_with(trial.params)
        self._copy.sampler = self._make(self._setting.seed_of(question.number, 0))
        for _ in range(N_ATTEMPTS):
            asked = self._copy.ask(self._distributions)
            self._under_way.append(asked.number)
            yield Proposal.meant(self._setting.encoding, dict(asked.params))

    def _reckon_with(self, params: dict[str, float | int]) -> None:
        self._under_way.append(len(self._copy.get_trials(deepcopy=False)))
        self._copy.add_trial(
            optuna.create_trial(
                state=TrialState.RUNNING, params=params, distributions=self._distributions
            )
        )


def _front(ordered: Sequence[tuple[float, tuple[float, ...], int]]) -> list[int]:
    """The numbers of trials that no other beats in loss and cost; the first of equal ones.

    Args:
        ordered: Loss, cost and number of each, sorted.
    """
    front: list[int] = []
    least: tuple[float, ...] = (math.inf,)
    for _, cost, number in ordered:
        if cost < least:
            least = cost
            front.append(number)
    return front


def is_telling(trial: FrozenTrial, distributions: dict[str, BaseDistribution]) -> bool:
    """Whether a trial has a score and the encoding can express its layout."""
    return trial.state in SCORED and trial.params.keys() == distributions.keys()


def template(trial: FrozenTrial, distributions: dict[str, BaseDistribution]) -> FrozenTrial:
    """A trial as another study can take it in."""
    return optuna.create_trial(
        state=trial.state,
        values=trial.values,
        params=trial.params,
        distributions=distributions,
        # TPE compares pruned trials by these, and fails where there are several objectives.
        intermediate_values=trial.intermediate_values if len(trial.values) == 1 else {},
    )
