"""A sampler of sets: starts from the proxies, learns from the trials which places help together.

A Gaussian process over layouts predicts scores, with the proxies' ranks among what it sees, so that
it finds out within the study which of them to trust. The layout of the largest expected improvement
is proposed; it is looked for among greedy choices by the proxies, random layouts, of which the
combined proxy takes the better half while it is worth it, and small changes of the best ones.
"""

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from placement_search.layout import Layout, parse_layout
from placement_search.modules import MODULE_TYPES
from placement_search.study import records
from placement_search.study.combined_proxy import (
    CombinedProxy,
    fit_combined,
    layout_facts,
    layout_sums,
    same_places,
)
from placement_search.study.samplers.candidates import (
    Candidate,
    neighbours_of,
    random_candidates,
)
from placement_search.study.samplers.gradient_guided import first_choices, greedy_layouts
from placement_search.study.samplers.sampler import (
    SCORED,
    Proposal,
    Question,
    Setting,
    in_order,
    random_training,
)
from placement_search.study.samplers.set_features import Array
from placement_search.study.samplers.set_model import SetModel, Vectoriser
from placement_search.study.training_choices import training_of

FIRST = (
    "frobenius_norm", "stable_rank", "nuclear_norm", "participation_ratio", "fisher",
    "effective_rank",
)  # fmt: skip
"""Proxies whose greedy choices come before the process is asked: norms and ranks in turn.

The paper trusts ranks; with the probed head, whose scores are read here, norms are shown to know
more on one of the tabled tasks and ranks on none (reports/placements), hence norms begin.
"""
N_OBSERVED = 4
"""Scored layouts that the process needs; until then layouts are random."""
N_REFERENCE = 200
"""Random layouts that say what is usual."""
N_RANDOM = 150
"""Random candidates of a proposal."""
N_REFIT = 10
"""The combined proxy is fitted on the first whole tens of trials, whenever those have changed."""
N_BEST, N_AROUND = 6, 12
"""Layouts that small changes start from, and changes of each."""
N_ROUNDS = 4
"""Times that small changes are made of what looks best."""
N_PROPOSED = 50
"""Candidates that are named, best first; most are new to the study."""
LEAST_SHARE = 0.05
"""Of the sum of two objectives, beside the smaller of them; Knowles's choice."""
N_LEARNED = 400
"""Trials that are learned from at most, the best and the latest; fitting takes their cube."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What a trial says.

    Args:
        candidate: What was evaluated.
        score: Larger is better.
        doubt: Variance by which it is less sure than a finished trial's.
    """

    candidate: Candidate
    score: float
    doubt: float = 0.0


class Guided:
    """The sampler.

    Args:
        setting: What it works on.
    """

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._space = setting.encoding.space
        chosen = itertools.chain(first_choices(setting, FIRST), greedy_layouts(setting))
        self._greedy = list(dict.fromkeys(chosen))
        generator = random.Random(setting.seed_of("reference"))  # noqa: S311
        reference = random_candidates(self._space, generator, N_REFERENCE)
        self._vectoriser = Vectoriser(self._space, setting.proxies, reference)
        self._combined: tuple[Sequence[Observation], CombinedProxy | None] = ([], None)

    def proposals(self, question: Question) -> Iterator[Proposal]:
        """Greedy choices first, then what the process likes, as soon as it knows enough."""
        generator = random.Random(self._setting.seed_of(question.number, "guided"))  # noqa: S311
        before = (*question.trials, *question.pending)
        n_own = sum(trial.user_attrs[records.ROLE] == records.SEARCHED for trial in before)
        if n_own < len(FIRST) and self._greedy:
            yield from in_order(self._setting, question, self._greedy, generator)
            return
        for candidate in self._candidates(question, generator):
            yield Proposal.of(self._setting.encoding, *candidate)

    def _candidates(self, question: Question, generator: random.Random) -> list[Candidate]:
        """What promises most, the best first; random ones while too little is known."""
        observed = observations(question.trials, self._setting, generator)
        if len(observed) < N_OBSERVED:
            return random_candidates(self._space, generator, N_PROPOSED)
        return self._improving(observed, self._pending(question.pending), generator)

    def _greedy_candidates(self, generator: random.Random) -> list[Candidate]:
        training = self._space.training
        return [Candidate(layout, random_training(training, generator)) for layout in self._greedy]

    def _pending(self, trials: Sequence[FrozenTrial]) -> list[Candidate]:
        found = map(candidate_of, trials)
        return [each for each in found if self._space.contains(each.layout)]

    def _improving(
        self,
        observed: Sequence[Observation],
        pending: Sequence[Candidate],
        generator: random.Random,
    ) -> list[Candidate]:
        """Candidates by expected improvement, the largest first."""
        learned = most_telling(observed)
        known = [each.candidate for each in learned]
        vectors = self._vectoriser.of(known)
        model = SetModel(
            vectors,
            np.array([each.score for each in learned]),
            np.array([each.doubt for each in learned]),
        )
        # The best of what is expected, not of what was seen: one lucky score must not rule.
        expected = model.predict(vectors).mean
        best = float(expected.max())
        if pending:
            model = model.believing(self._vectoriser.of(pending))
        starts = [known[index] for index in np.argsort(-expected, kind="stable")[:N_BEST]]
        fresh = self._greedy_candidates(generator) + self._drawn(observed, generator)
        return self._climbed(model, best, starts, fresh, {*known, *pending}, generator)

    def _drawn(self, observed: Sequence[Observation], generator: random.Random) -> list[Candidate]:
        """Random candidates; while the combined proxy is worth it, the better half of more."""
        combined = self._combination(observed[: len(observed) // N_REFIT * N_REFIT])
        if combined is None or not combined.is_trusted:
            return random_candidates(self._space, generator, N_RANDOM)
        drawn = random_candidates(self._space, generator, 2 * N_RANDOM)
        scores = {each: combined.score(self._columns(each.layout)) for each in drawn}
        return sorted(drawn, key=scores.__getitem__, reverse=True)[:N_RANDOM]

    def _combination(self, observed: Sequence[Observation]) -> CombinedProxy | None:
        """A regression of scores on what the proxies say of layouts; none with two objectives."""
        if len(self._setting.directions) > 1 or not self._setting.proxies:
            return None
        if observed != self._combined[0]:
            layouts = [each.candidate.layout for each in observed]
            groups = same_places(layouts)
            rows = [self._columns(layouts[group[0]]) for group in groups]
            columns = {name: [row[name] for row in rows] for name in rows[0]}
            scores = [fmean(observed[index].score for index in group) for group in groups]
            fitted = fit_combined(columns, scores)
            self._combined = observed, fitted
        return self._combined[1]

    def _columns(self, layout: Layout) -> dict[str, float]:
        """Numbers of a layout that a combination is made of, but for coverage, which takes long."""
        return layout_sums(self._setting.proxies, layout) | layout_facts(layout)

    def _climbed(
        self,
        model: SetModel,
        best: float,
        starts: Sequence[Candidate],
        fresh: list[Candidate],
        known: set[Candidate],
        generator: random.Random,
    ) -> list[Candidate]:
        """What looks best of many candidates and, round by round, of the neighbours of the best."""
        gains: dict[Candidate, float] = {}
        for _ in range(N_ROUNDS):
            for start in starts:
                fresh += neighbours_of(self._space, start, generator, N_AROUND)
            fresh = [each for each in dict.fromkeys(fresh) if each not in known]
            if fresh:
                found = model.predict(self._vectoriser.of(fresh)).expected_improvement(best)
                gains |= dict(zip(fresh, found.tolist(), strict=True))
                known |= gains.keys()
            starts = sorted(gains, key=gains.__getitem__, reverse=True)[:N_BEST]
            fresh = []
        return sorted(gains, key=gains.__getitem__, reverse=True)[:N_PROPOSED]


def candidate_of(trial: FrozenTrial) -> Candidate:
    """What a trial evaluates."""
    attributes = trial.user_attrs
    layout = parse_layout(attributes[records.LAYOUT], MODULE_TYPES)
    return Candidate(layout, training_of(attributes))


def observations(
    trials: Sequence[FrozenTrial], setting: Setting, generator: random.Random
) -> list[Observation]:
    """What the trials of a space say of their layouts.

    A pruned trial's score counts as if it had gained what the complete ones gained after the same
    reports, in the median, and is doubted by how much they differ in that. Where a cost is an
    objective too, both are one number by weights that are drawn anew, after ParEGO (Knowles 2006):
    proposal by proposal another part of the Pareto front is looked for.
    """
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    gains = _Gains(complete, setting)
    found = []
    costs = []
    for trial in trials:
        if trial.state not in SCORED or not trial.values:
            continue
        candidate = candidate_of(trial)
        if not setting.encoding.space.contains(candidate.layout):
            continue
        is_complete = trial.state is TrialState.COMPLETE
        reports = frozenset(trial.intermediate_values)
        gain, doubt = (0.0, 0.0) if is_complete else gains.after(reports)
        found.append(Observation(candidate, setting.sign * (trial.values[0] + gain), doubt))
        costs.append(trial.values[1:])
    return _weighed(found, costs, generator) if len(setting.directions) > 1 else found


def _weighed(
    found: Sequence[Observation], costs: Sequence[Sequence[float]], generator: random.Random
) -> list[Observation]:
    """Scores set against costs, of which smaller ones are better, by a weight that is drawn."""
    if not found:
        return []
    scores = np.array([each.score for each in found])
    cheapness = -np.array([cost[0] for cost in costs])
    weight = generator.random()
    parts = np.stack([weight * _within_range(scores), (1 - weight) * _within_range(cheapness)])
    worths = parts.min(0) + LEAST_SHARE * parts.sum(0)
    factor = (weight / (float(np.ptp(scores)) or 1.0)) ** 2
    return [
        Observation(each.candidate, float(worth), each.doubt * factor)
        for each, worth in zip(found, worths, strict=True)
    ]


def _within_range(values: Array) -> Array:
    """Values moved and scaled to lie within 0 and 1."""
    spread = float(np.ptp(values)) or 1.0
    return np.asarray((values - values.min()) / spread)


class _Gains:
    """What complete trials gained after some reports, for those that were pruned after them."""

    def __init__(self, complete: Sequence[FrozenTrial], setting: Setting) -> None:
        self._complete = [trial for trial in complete if trial.values]
        self._setting = setting
        self._known: dict[frozenset[int], tuple[float, float]] = {}

    def after(self, reports: frozenset[int]) -> tuple[float, float]:
        """The median gain and its variance; nothing where no complete trial has the last of them.

        A single one does not show how much they differ; it is doubted by as much as it gained.
        """
        if reports not in self._known:
            self._known[reports] = self._found(reports)
        return self._known[reports]

    def _found(self, reports: frozenset[int]) -> tuple[float, float]:
        gains: Array = np.array([
            trial.values[0] - self._setting.value_of(self._shared(trial, reports))
            for trial in self._complete
            if max(reports, default=0) in trial.intermediate_values
        ])  # fmt: skip
        if len(gains) == 1:
            return float(gains[0]), float(gains[0] ** 2)
        return (float(np.median(gains)), float(gains.var())) if len(gains) else (0.0, 0.0)

    def _shared(self, trial: FrozenTrial, reports: frozenset[int]) -> dict[int, float]:
        """A trial's scores at these reports; earlier ones may have been left out (Hyperband)."""
        return {n: score for n, score in trial.intermediate_values.items() if n in reports}


def most_telling(observed: Sequence[Observation]) -> Sequence[Observation]:
    """All observations, or where there are many the best half and the latest half of the limit."""
    if len(observed) <= N_LEARNED:
        return observed
    half = N_LEARNED // 2
    latest = list(observed[-half:])
    earlier = sorted(observed[:-half], key=lambda each: each.score, reverse=True)
    return [*earlier[:half], *latest]
