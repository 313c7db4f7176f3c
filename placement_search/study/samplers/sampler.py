"""What every sampler is: something that, asked for a trial, says which layouts it would try."""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from placement_search.layout import Layout
from placement_search.space.encoding import Encoding, Gene
from placement_search.space.node_names import Pair
from placement_search.space.training import NO_CHOICE, TrainingChoice, TrainingSpace
from placement_search.study import records
from placement_search.study.seeds import derive_seed
from placement_search.study.settings import DEFAULT_GAMMAS

SCORED = (TrialState.COMPLETE, TrialState.PRUNED)
Scores = Sequence[Sequence[float]]
"""A proxy's score of every connection, ``[source][target]``, larger for a better place."""


def last_score(scores: Mapping[int, float]) -> float:
    """The score of a trial that is what it reported last."""
    return scores[max(scores)]


@dataclass(frozen=True, slots=True)
class Setting:
    """What a sampler works on, all through a study.

    Args:
        encoding: Of the search space.
        seed: The study's seed.
        directions: Whether larger scores are better; that of a cost comes second.
        proxies: The proxy map, by proxy; empty where the study has none.
        concurrency: How far knowledge lags: the proposal of trial n may know trials up to
            n - concurrency.
        keep: By connection the probability that a switch keeps it; empty where none was trained.
        gammas: Strengths of the discount in greedy choices by the proxies, each within [0, 1].
        value_of: The score of a trial that has reported so, by number of the report.
    """

    encoding: Encoding
    seed: int
    directions: tuple[StudyDirection, ...]
    proxies: Mapping[str, Scores] = field(default_factory=dict)
    concurrency: int = 1
    keep: Mapping[Pair, float] = field(default_factory=dict)
    gammas: tuple[float, ...] = DEFAULT_GAMMAS
    value_of: Callable[[Mapping[int, float]], float] = last_score

    @property
    def sign(self) -> int:
        """What a score is multiplied by so that larger is better."""
        return 1 if self.directions[0] is StudyDirection.MAXIMIZE else -1

    def seed_of(self, *what: str | int) -> int:
        """A seed for one use; the same whenever it is asked for."""
        return derive_seed(self.seed, "ask", *what)


@dataclass(frozen=True, slots=True)
class Question:
    """What a sampler may know when it proposes a trial.

    Args:
        number: The trial's.
        trials: The trials up to ``number - concurrency``, all of them ended, by number.
        pending: The trials between those and this one, of which only layouts may be read.
    """

    number: int
    trials: Sequence[FrozenTrial]
    pending: Sequence[FrozenTrial] = ()

    @property
    def layouts(self) -> frozenset[str]:
        """Notations of the layouts of all earlier trials, whatever they are trained with."""
        return frozenset(
            trial.user_attrs[records.LAYOUT] for trial in (*self.trials, *self.pending)
        )

    def before(self, number: int) -> FrozenTrial:
        """The trial of an earlier number."""
        n_known = len(self.trials)
        return self.trials[number] if number < n_known else self.pending[number - n_known]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A layout to evaluate, how it is trained, and the numbers of the encoding that mean both."""

    layout: Layout
    params: dict[str, float | int]
    training: TrainingChoice = NO_CHOICE

    @property
    def id(self) -> str:
        """What names the layout trained so."""
        return self.training.id_with(self.layout.id)

    @classmethod
    def meant(cls, encoding: Encoding, params: dict[str, float | int]) -> Self:
        """What numbers of the encoding mean."""
        return cls(encoding.decode(params), params, encoding.decode_training(params))

    @classmethod
    def of(cls, encoding: Encoding, layout: Layout, training: TrainingChoice = NO_CHOICE) -> Self:
        """A layout of the space and a training choice, as numbers of the encoding."""
        return cls(layout, encoding.encode(layout, training), training)


class Sampler(Protocol):
    """Proposes layouts; what it says depends on setting and question alone."""

    def proposals(self, question: Question) -> Iterator[Proposal]:
        """The layouts it would try as this trial, the one it likes best first; at least one.

        Most callers take the first that is new to the study and leave the others.
        """


MakeSampler = Callable[[Setting], Sampler]


def in_order(
    setting: Setting, question: Question, layouts: Iterable[Layout], generator: random.Random
) -> Iterator[Proposal]:
    """Layouts with training settings that are drawn: new ones first, then those tried before.

    So a space that searches training settings has its layouts tried one after another, not the
    first one again and again with other settings.

    Args:
        setting: What the sampler works on.
        question: Which layouts were tried.
        layouts: In the order in which they are to be tried; may be drawn from only in part.
        generator: Of the training settings.
    """
    tried, again = question.layouts, []
    training = setting.encoding.space.training
    for layout in layouts:
        if layout.notation in tried:
            again.append(layout)
        else:
            yield Proposal.of(setting.encoding, layout, random_training(training, generator))
    for layout in again:
        yield Proposal.of(setting.encoding, layout, random_training(training, generator))


def random_training(space: TrainingSpace, generator: random.Random) -> TrainingChoice:
    """Random training settings; nothing for those that the space leaves alone."""
    numbers = {
        name: generator.random() if each.n_values is None else generator.randrange(each.n_values)
        for name, each in space.settings
    }
    return TrainingChoice(**{name: each.at(numbers[name]) for name, each in space.settings})


def distributions(encoding: Encoding) -> dict[str, BaseDistribution]:
    """The Optuna distributions of an encoding, by the names of its numbers."""
    return {gene.name: distribution(gene) for gene in encoding.genes}


def distribution(gene: Gene) -> BaseDistribution:
    """The Optuna distribution of one number of the encoding."""
    if gene.n_values is None:
        return FloatDistribution(0.0, 1.0)
    return IntDistribution(0, gene.n_values - 1)
