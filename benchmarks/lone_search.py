"""A search without a study: a sampler asked for a layout and told its score, in memory.

What it knows lags as in a study (docs/decisions/0012-concurrency.md).
"""

from collections.abc import Mapping

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from placement_search.space.encoding import Encoding
from placement_search.space.search_space import SearchSpace
from placement_search.study import records
from placement_search.study.samplers import SAMPLERS
from placement_search.study.samplers.proposer import Proposer
from placement_search.study.samplers.sampler import (
    Proposal,
    Question,
    Scores,
    Setting,
    distributions,
)


class LoneSearch:
    """Asks a sampler and tells it, in turn.

    Args:
        space: What may be proposed.
        proxies: The task's proxy map.
        sampler: Name of the sampler.
        seed: The search's.
        concurrency: Trials that may be under way at once, which is how far knowledge lags.
    """

    def __init__(
        self,
        space: SearchSpace,
        proxies: Mapping[str, Scores],
        sampler: str,
        seed: int,
        concurrency: int = 1,
    ) -> None:
        encoding = Encoding(space)
        setting = Setting(
            encoding, seed, (StudyDirection.MAXIMIZE,), proxies, concurrency=concurrency
        )
        self._concurrency = concurrency
        self._proposer = Proposer(setting, SAMPLERS[sampler](setting))
        self._distributions = distributions(encoding)
        self._trials: list[FrozenTrial] = []
        self._seen: set[str] = set()

    def propose(self) -> Proposal:
        """A layout that is new to the search, and the numbers that mean it.

        Raises:
            SpaceExhaustedError: If no new one turned up.
        """
        number = len(self._trials)
        n_known = max(0, number - self._concurrency + 1)
        question = Question(number, self._trials[:n_known], self._trials[n_known:])
        return self._proposer.propose(question, self._seen)

    def tell(self, proposal: Proposal, score: float | None) -> None:
        """What a proposal scored; it is the next trial, as a study holds it.

        Args:
            proposal: As it was proposed.
            score: None where the training gave none.
        """
        self._seen.add(proposal.id)
        self._trials.append(
            optuna.create_trial(
                state=TrialState.FAIL if score is None else TrialState.COMPLETE,
                value=score,
                params=proposal.params,
                distributions=self._distributions,
                intermediate_values={} if score is None else {1: score},
                user_attrs={
                    records.ROLE: records.SEARCHED,
                    records.LAYOUT: proposal.layout.notation,
                    records.LAYOUT_ID: proposal.id,
                },
            )
        )
