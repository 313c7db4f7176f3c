"""A search without a study: a sampler asked for a layout and told its score, in memory."""

from collections.abc import Mapping

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from placement_search.layout import Layout
from placement_search.space.encoding import Encoding
from placement_search.space.search_space import SearchSpace
from placement_search.study import records
from placement_search.study.samplers import SAMPLERS
from placement_search.study.samplers.proposer import Proposer
from placement_search.study.samplers.sampler import Question, Scores, Setting, distributions


class LoneSearch:
    """Asks a sampler and tells it, in turn.

    Args:
        space: What may be proposed.
        proxies: The task's proxy map.
        sampler: Name of the sampler.
        seed: The search's.
        concurrency: How far the sampler's knowledge lags.
    """

    def __init__(
        self,
        space: SearchSpace,
        proxies: Mapping[str, Scores],
        sampler: str,
        seed: int,
        concurrency: int = 1,
    ) -> None:
        self._encoding = Encoding(space)
        directions = (StudyDirection.MAXIMIZE,)
        setting = Setting(self._encoding, seed, directions, proxies, concurrency)
        self._proposer = Proposer(setting, SAMPLERS[sampler](setting))
        self._concurrency = concurrency
        self._trials: list[FrozenTrial] = []
        self._seen: set[str] = set()

    def propose(self) -> Layout:
        """A layout that is new to the search.

        Raises:
            SpaceExhaustedError: If no new one turned up.
        """
        trials = self._trials
        known = trials[: max(0, len(trials) - self._concurrency + 1)]
        question = Question(len(trials), known, trials[len(known) :])
        return self._proposer.propose(question, self._seen).layout

    def tell(self, layout: Layout, score: float) -> None:
        """What a layout scored; it is the next trial, as a study holds it."""
        self._seen.add(layout.id)
        self._trials.append(
            optuna.create_trial(
                state=TrialState.COMPLETE,
                value=score,
                params=self._encoding.encode(layout),
                distributions=distributions(self._encoding),
                intermediate_values={1: score},
                user_attrs={
                    records.ROLE: records.SEARCHED,
                    records.LAYOUT: layout.notation,
                    records.LAYOUT_ID: layout.id,
                },
            )
        )
