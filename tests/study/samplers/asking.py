"""Whole searches in memory, for the tests of samplers: asked, told, asked again."""

import random
import statistics

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from placement_search.layout import Layout
from placement_search.space.encoding import Encoding
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
from placement_search.study.training_choices import stored
from tests.tiny_spaces import N_NODES, bound, space_file

ENCODING = Encoding(bound())
SMALL = Encoding(
    bound(
        space_file(
            kinds=["sequential"], sources=["0-3"], connections={"at_most": 1},
            modules=[{"type": "bottleneck", "rank": 4}],
        )
    )
)  # fmt: skip

RATES = {"learning_rate": [0.001, 0.01, 0.1]}
TRAINED = Encoding(bound(space_file(training=RATES)))
SMALL_TRAINED = Encoding(
    bound(
        space_file(
            kinds=["sequential"], sources=["0-3"], connections={"at_most": 1},
            modules=[{"type": "bottleneck", "rank": 4}], training=RATES,
        )
    )
)  # fmt: skip
"""Spaces that propose a learning rate too."""


def made_up_proxies() -> dict[str, Scores]:
    """A map of two proxies: one is right about `closeness`, the other knows nothing."""
    generator = random.Random(0)  # noqa: S311
    nodes = range(N_NODES)
    return {
        "effective_rank": [[60.0 - abs(s - 20) - abs(t - 5) for t in nodes] for s in nodes],
        "nuclear_norm": [[generator.random() for _ in nodes] for _ in nodes],
    }


def closeness(layout: Layout) -> float:
    """A made-up score: how near all connections read to node 20 and write to node 5; at most 0."""
    return -statistics.fmean(abs(c.source - 20) + abs(c.target - 5) for c in layout.connections)


def setting_of(
    encoding: Encoding, seed: int = 0, concurrency: int = 1, *, is_mapped: bool = True
) -> Setting:
    """A study that looks for large scores, whose switches keep the places near to (20, 5)."""
    proxies = made_up_proxies() if is_mapped else {}
    nodes = range(N_NODES)
    keep = {(s, t): 1 / (1 + (abs(s - 20) + abs(t - 5)) / 2) for s in nodes for t in nodes}
    return Setting(encoding, seed, (StudyDirection.MAXIMIZE,), proxies, concurrency, keep)


def proposer_of(sampler: str, setting: Setting) -> Proposer:
    """A fresh one, as a process that starts has it."""
    return Proposer(setting, SAMPLERS[sampler](setting))


def told(
    setting: Setting,
    proposal: Proposal,
    state: TrialState = TrialState.COMPLETE,
    role: str = records.SEARCHED,
) -> FrozenTrial:
    """The trial as a study holds it once its proposal was evaluated."""
    score = closeness(proposal.layout)
    values = [score, float(len(proposal.layout.connections))][: len(setting.directions)]
    return optuna.create_trial(
        state=state,
        values=None if state is TrialState.FAIL else values,
        params=proposal.params,
        distributions=distributions(setting.encoding),
        intermediate_values={1: score - 1, 2: score},
        user_attrs={
            records.ROLE: role,
            records.LAYOUT: proposal.layout.notation,
            records.LAYOUT_ID: proposal.id,
            **stored(proposal.training),
        },
    )


def end_of(number: int) -> TrialState:
    """How a trial of a search ends: most are complete."""
    return {3: TrialState.PRUNED, 5: TrialState.FAIL}.get(number % 7, TrialState.COMPLETE)


def question(trials: list[FrozenTrial], number: int, concurrency: int = 1) -> Question:
    """What may be known when a trial is proposed."""
    known = trials[: max(0, number - concurrency + 1)]
    return Question(number, known, trials[len(known) : number])


def searched(
    setting: Setting, sampler: str, n_trials: int, begun: list[FrozenTrial] | None = None
) -> list[FrozenTrial]:
    """The trials of a whole search, or of one that goes on; some end otherwise than complete."""
    proposer = proposer_of(sampler, setting)
    trials = list(begun or [])
    for number in range(len(trials), n_trials):
        seen = {trial.user_attrs[records.LAYOUT_ID] for trial in trials}
        asked = question(trials, number, setting.concurrency)
        trials.append(told(setting, proposer.propose(asked, seen), end_of(number)))
    return trials


def layouts_of(trials: list[FrozenTrial]) -> list[str]:
    """Their layouts, in the notation."""
    return [trial.user_attrs[records.LAYOUT] for trial in trials]


def ids_of(trials: list[FrozenTrial]) -> list[str]:
    """What names their layouts, with their training settings."""
    return [trial.user_attrs[records.LAYOUT_ID] for trial in trials]
