"""How well each proxy predicted the scores of this very study."""

from collections.abc import Mapping
from dataclasses import dataclass

from placement_search.evaluation.estimates import Estimate, rank_correlation
from placement_search.layout import Layout, parse_layout
from placement_search.modules import MODULE_TYPES
from placement_search.study.records import StudyRecord

N_PARAMETERS = "number of parameters"
"""A rival that a proxy has to beat: larger layouts have larger sums of any proxy."""


@dataclass(frozen=True, slots=True)
class ProxyCorrelation:
    """Spearman's rank correlation of a proxy with how good a study's trials were.

    Good means a high validation score, or a low one where the metric is an error.

    Args:
        proxy: Its name.
        correlation: None where there are too few complete trials.
    """

    proxy: str
    correlation: Estimate | None

    @property
    def verdict(self) -> str:
        """What the interval says, in words."""
        if self.correlation is None:
            return "too few trials to tell"
        if self.correlation.low > 0:
            return "predicts the scores here"
        return (
            "predicts them the wrong way round"
            if self.correlation.high < 0
            else "can't be trusted here"
        )


def layout_score(scores: list[list[float]], layout: Layout) -> float:
    """A proxy's score of a whole layout: the sum over its connections of ``[source][target]``."""
    return sum(scores[c.source][c.target] for c in layout.connections)


def proxy_correlations(record: StudyRecord) -> list[ProxyCorrelation]:
    """Each proxy, then the number of parameters, against the complete trials that have connections.

    Baselines outside the space are left out: an adapter in every layer would decide the ranking of
    the sums by its size alone.
    """
    trials = [trial for trial in record.trials if trial.card and trial.is_eligible]
    layouts = [parse_layout(trial.layout, MODULE_TYPES) for trial in trials]
    sign = record.definition.sign
    measured = [sign * trial.card.score for trial in trials if trial.card]
    predicted: Mapping[str, list[float]] = {
        name: [layout_score(scores, layout) for layout in layouts]
        for name, scores in (record.proxy_map.scores if record.proxy_map else {}).items()
    } | {N_PARAMETERS: [float(trial.n_adapter_parameters) for trial in trials]}
    return [
        ProxyCorrelation(name, rank_correlation(values, measured))
        for name, values in predicted.items()
    ]
