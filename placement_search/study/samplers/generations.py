"""Optuna's samplers that keep a state of their own: populations, or a place in a sequence.

They learn only from what they proposed themselves, and note with each of their trials what they
will need. So all of their questions are put to them again in order when a study is continued, with
what was known at the time; then they answer as before, and go on from there.
"""

from collections.abc import Iterator, Sequence

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from placement_search.study import records
from placement_search.study.samplers.optuna_samplers import (
    N_ATTEMPTS,
    MakeOptunas,
    is_telling,
    template,
)
from placement_search.study.samplers.sampler import Proposal, Question, Setting, distributions


class GenerationalSampler:
    """One of Optuna's samplers that goes by its own earlier proposals.

    Args:
        setting: What it works on.
        make: The sampler.
    """

    def __init__(self, setting: Setting, make: MakeOptunas) -> None:
        self._setting = setting
        self._make = make
        self._distributions = distributions(setting.encoding)
        self._begin()

    def _begin(self) -> None:
        self._copy = optuna.create_study(
            directions=self._setting.directions,
            sampler=self._make(self._setting.seed_of("state")),
        )
        self._asked: dict[int, Trial] = {}
        self._n_learned = self._next = 0

    def proposals(self, question: Question) -> Iterator[Proposal]:
        """See `Sampler`."""
        if question.number < self._next:
            self._begin()
        for number in range(self._next, question.number):
            self._repeat(number, question)
        self._learn(question.trials)
        self._next = question.number + 1
        yield from self._proposed(question.number)

    def _repeat(self, number: int, question: Question) -> None:
        """Ask for an earlier trial again, until it answers what it answered then."""
        self._learn(question.trials[: max(0, number - self._setting.concurrency + 1)])
        attributes = question.before(number).user_attrs
        if attributes[records.ROLE] == records.SEARCHED:
            for proposal in self._proposed(number):
                if proposal.id == attributes[records.LAYOUT_ID]:
                    return

    def _proposed(self, number: int) -> Iterator[Proposal]:
        for _ in range(N_ATTEMPTS):
            trial = self._copy.ask(self._distributions)
            params = dict(trial.params)
            self._asked[number] = trial
            yield Proposal.meant(self._setting.encoding, params)
            # The caller asks for another one: this one was old, and is no trial.
            self._copy.tell(trial, state=TrialState.FAIL)
        del self._asked[number]

    def _learn(self, known: Sequence[FrozenTrial]) -> None:
        for number in range(self._n_learned, len(known)):
            self._hear(number, known[number])
        self._n_learned = max(self._n_learned, len(known))

    def _hear(self, number: int, trial: FrozenTrial) -> None:
        """Tell the score of one of its own; take in what others proposed."""
        asked = self._asked.pop(number, None)
        is_scored = is_telling(trial, self._distributions)
        if asked is not None and is_scored:
            # A pruned layout's last score stands for it, since generations are made of whole ones.
            self._copy.tell(asked, trial.values)
        elif asked is not None:
            self._copy.tell(asked, state=TrialState.FAIL)
        elif is_scored:
            self._copy.add_trial(template(trial, self._distributions))
