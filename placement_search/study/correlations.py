"""How well each proxy predicted the scores of this very study, and when to distrust it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from placement_search.evaluation.agreement import TopOverlap, grouped_correlation, top_overlap
from placement_search.evaluation.estimates import Estimate, rank_correlation
from placement_search.layout import Layout, parse_layout
from placement_search.modules import MODULE_TYPES
from placement_search.study.combined_proxy import (
    COMBINED,
    COVERAGE_OF,
    CombinedProxy,
    alike,
    fit_combined,
    layout_columns,
    same_places,
)
from placement_search.study.map_record import RANDOM_HEAD
from placement_search.study.records import StudyRecord, TrialRecord

N_PARAMETERS = "number of parameters"
"""A rival that a proxy has to beat: larger layouts have larger sums of any proxy."""
TELLING_TOP = 5
"""Layouts in the best tenth from which it is said that a proxy misses them."""


@dataclass(frozen=True, slots=True)
class ProxyCorrelation:
    """Spearman's rank correlation of a proxy with how good a study's trials were.

    Good means a high validation score, or a low one where the metric is an error. Trials that a
    proxy can't tell apart count once, with their mean: a sum sees places alone, whatever their
    modules are and however they are trained, a proxy of whole layouts does not see the training.

    Args:
        proxy: Its name.
        correlation: None where there are too few complete trials, or a score is not finite.
        within: The same among layouts with the same number of connections, all numbers together:
            sums grow with it, and here that can't help. None where numbers do not differ, too few
            layouts share one, or a side is constant among those that do.
        single: The same among layouts of one connection; None where all are, or too few.
        top: How much of the proxy's best tenth is truly among the best; None for fewer than ten.
        is_variant: Whether it is another proxy's coverage, or that with random heads.
        sizes_differ: Whether the layouts have different numbers of connections.
    """

    proxy: str
    correlation: Estimate | None
    within: Estimate | None = None
    single: Estimate | None = None
    top: TopOverlap | None = None
    is_variant: bool = False
    sizes_differ: bool = False

    @property
    def is_unchecked(self) -> bool:
        """Whether sizes differ, and it was not compared among layouts of one size.

        The number of parameters, which claims nothing of places, need not be.
        """
        return self.sizes_differ and self.within is None and self.proxy != N_PARAMETERS

    @property
    def verdict(self) -> str:
        """What the intervals say, in words."""
        if self.correlation is None:
            return "too few trials to tell"
        if self.within is not None and self.within.low > 0 >= self.correlation.low:
            if self.proxy == N_PARAMETERS:
                return "helps, but only among layouts with the same number of connections"
            return "predicts where, but only among layouts with the same number of connections"
        if self.correlation.high < 0:
            return self._wrong_way
        return "can't be trusted here" if self.correlation.low <= 0 else self._limits

    @property
    def _wrong_way(self) -> str:
        """What a correlation below zero says: about places only where it holds within a size."""
        if self.is_unchecked:
            return "points the wrong way, not checked among layouts of one size: distrust it"
        if self.within is None or self.within.high < 0:
            return "predicts them the wrong way round"
        if self.within.mean < 0:
            return "points the wrong way, not shown among layouts of one size: distrust it"
        return "goes the wrong way with how many connections, not with where: distrust it"

    @property
    def _limits(self) -> str:
        """What to keep in mind of a correlation above zero."""
        if self.within is not None and self.within.mean <= 0:
            return "predicts how many connections, not where: distrust it among layouts of one size"
        if self.within is not None and self.within.low <= 0:
            return "predicts the scores, not shown among layouts of one size: distrust it there"
        if self.is_unchecked:
            return "predicts the scores, not checked among layouts of one size: distrust it there"
        if self.top is not None and self.top.n_top >= TELLING_TOP and not self.top.beats_chance:
            return "predicts the order, but not which are best"
        return "predicts the scores here"


@dataclass(frozen=True, slots=True)
class _Measured:
    """What proxies are held against, each with how good its trials were on average."""

    trials: Sequence[TrialRecord]
    layouts: Sequence[Layout]
    goodness: Sequence[float]

    def at(self, indices: Sequence[int]) -> "_Measured":
        """Some of them."""
        return self.merged([[index] for index in indices])

    def merged(self, groups: Sequence[Sequence[int]]) -> "_Measured":
        """One for each group: the first stands for all."""
        return _Measured(
            [self.trials[group[0]] for group in groups],
            [self.layouts[group[0]] for group in groups],
            [fmean(self.goodness[index] for index in group) for group in groups],
        )

    def by_places(self) -> "_Measured":
        """Those at the same places together."""
        return self.merged(same_places(self.layouts))

    def by_layout(self) -> "_Measured":
        """Those of the same layout together, however it is trained."""
        return self.merged(alike(layout.id for layout in self.layouts))


def proxy_correlations(record: StudyRecord) -> list[ProxyCorrelation]:
    """Each proxy, then the number of parameters, against the complete trials that have connections.

    First the sums of connections' scores, then the proxies of whole layouts, the combined proxy by
    its held-out predictions, the variants, and the number of parameters. Baselines outside the
    space are left out: an adapter in every layer would decide the ranking of the sums by its size
    alone.
    """
    trials = _measured(record)
    layouts, measured = trials.by_layout(), trials.by_places()
    columns = _columns(record, measured.layouts)
    names = record.proxy_map.all_scores if record.proxy_map else {}
    sums = {name: values for name, values in columns.items() if name in names}
    covered = {name: values for name, values in columns.items() if name.startswith(COVERAGE_OF)}
    variants = {k: v for k, v in sums.items() if k.endswith(RANDOM_HEAD)} | covered
    main = {name: values for name, values in sums.items() if name not in variants}
    combined = fit_combined(columns, measured.goodness) if main else None
    fitted = {COMBINED: combined.predictions} if combined else {}
    size = [float(trial.n_adapter_parameters) for trial in layouts.trials]
    return [
        *(_correlation(name, values, measured) for name, values in main.items()),
        *_of_layout_proxies(record, layouts),
        *(_correlation(name, values, measured) for name, values in fitted.items()),
        *(_correlation(n, values, measured, is_variant=True) for n, values in variants.items()),
        _correlation(N_PARAMETERS, size, layouts),
    ]


def combined_proxy(record: StudyRecord) -> CombinedProxy | None:
    """The combination fitted on the study's admitted complete trials.

    Returns:
        None before the proxy map is there, or where trials are too few or too alike.
    """
    measured = _measured(record).by_places()
    if record.proxy_map is None:
        return None
    return fit_combined(_columns(record, measured.layouts), measured.goodness)


def _measured(record: StudyRecord) -> _Measured:
    trials = [trial for trial in record.trials if trial.card and trial.is_eligible]
    sign = record.definition.sign
    return _Measured(
        trials,
        [parse_layout(trial.layout, MODULE_TYPES) for trial in trials],
        [sign * trial.card.score for trial in trials if trial.card],
    )


def _columns(record: StudyRecord, layouts: Sequence[Layout]) -> dict[str, list[float]]:
    scores = record.proxy_map.all_scores if record.proxy_map else {}
    rows = [layout_columns(scores, layout) for layout in layouts]
    return {name: [row[name] for row in rows] for name in (rows[0] if rows else scores)}


def _of_layout_proxies(record: StudyRecord, measured: _Measured) -> list[ProxyCorrelation]:
    """Over the layouts that have such scores, which may be the first ones alone."""
    known = record.layout_proxies
    part = measured.at([i for i, layout in enumerate(measured.layouts) if layout.id in known])
    scores = [known[layout.id] for layout in part.layouts]
    names = scores[0] if scores else {}
    return [_correlation(name, [row[name] for row in scores], part) for name in names]


def _correlation(
    name: str, values: Sequence[float], measured: _Measured, *, is_variant: bool = False
) -> ProxyCorrelation:
    if not all(map(math.isfinite, values)):
        return ProxyCorrelation(name, None, is_variant=is_variant)
    sizes = [len(layout.connections) for layout in measured.layouts]
    goodness = measured.goodness
    differ = len(set(sizes)) > 1
    singles = [place for place, size in enumerate(sizes) if size == 1]
    single = [[side[place] for place in singles] for side in (values, goodness)]
    return ProxyCorrelation(
        proxy=name,
        correlation=rank_correlation(values, goodness),
        within=grouped_correlation(values, goodness, sizes) if differ else None,
        single=rank_correlation(*single) if differ else None,
        top=top_overlap(values, goodness),
        is_variant=is_variant,
        sizes_differ=differ,
    )
