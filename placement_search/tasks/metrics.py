"""The scores of a split, from scikit-learn and scipy; one line each in the table below."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats
from sklearn import metrics

from placement_search.errors import TaskError, nearest
from placement_search.tasks.target import Target

Score = Callable[[np.ndarray, np.ndarray], float]
"""Of predictions and truth.

Classes as integers, shape ``(n,)``; sets of labels as booleans or 0/1, shape ``(n, n_labels)``;
numbers in their own units, shape ``(n,)``.
"""


@dataclass(frozen=True, slots=True)
class Metric:
    """How good predictions are, as one number.

    Args:
        name: How options and reports call it.
        is_higher_better: Whether a higher score is the better one.
        targets: What labels it can judge.
        score: Of predictions and truth.
    """

    name: str
    is_higher_better: bool
    targets: tuple[Target, ...]
    score: Score

    @property
    def sign(self) -> int:
        """What a score is multiplied by so that larger is better."""
        return 1 if self.is_higher_better else -1


def accuracy(predictions: np.ndarray, truth: np.ndarray) -> float:
    """Share of examples that are right, sets of labels as a whole; within [0, 1]."""
    return float(metrics.accuracy_score(truth, predictions))


def macro_f1(predictions: np.ndarray, truth: np.ndarray) -> float:
    """Mean F1 of the classes or labels that are asked for or answered; within [0, 1]."""
    truth, predictions = _as_sets(truth), _as_sets(predictions)
    score = metrics.f1_score(truth, predictions, average="macro", zero_division=np.nan)
    # scikit-learn's own rule leaves out what occurs on neither side, and then has no mean.
    return 0.0 if math.isnan(score) else float(score)


def micro_f1(predictions: np.ndarray, truth: np.ndarray) -> float:
    """F1 over all labels of all examples together; within [0, 1], 0.0 without any label."""
    truth, predictions = _as_sets(truth), _as_sets(predictions)
    return float(metrics.f1_score(truth, predictions, average="micro", zero_division=0))


def _as_sets(labels: np.ndarray) -> np.ndarray:
    """Sets of one label with another that is never set: scikit-learn takes one for two classes."""
    is_single = labels.ndim == 2 and labels.shape[1] == 1
    return np.hstack([labels, np.zeros_like(labels)]) if is_single else labels


def binary_f1(predictions: np.ndarray, truth: np.ndarray) -> float:
    """F1 of the second of two classes; within [0, 1], 0.0 where it is neither asked nor said."""
    return float(metrics.f1_score(truth, predictions, pos_label=1, zero_division=0))


def matthews(predictions: np.ndarray, truth: np.ndarray) -> float:
    """Matthews correlation of classes, two or more; within [-1, 1].

    Gorodkin 2004, *Comparing two K-category assignments by a K-category correlation coefficient*;
    0.0 by rule where either side names one class only.
    """
    if _is_constant(predictions) or _is_constant(truth):
        return 0.0
    return float(metrics.matthews_corrcoef(truth, predictions))


def pearson(predictions: np.ndarray, truth: np.ndarray) -> float:
    """Linear correlation; within [-1, 1], 0.0 by rule where either side is constant."""
    return _correlation(stats.pearsonr, predictions, truth)


def spearman(predictions: np.ndarray, truth: np.ndarray) -> float:
    """Correlation of ranks, ties at their mean rank; within [-1, 1], 0.0 as `pearson`."""
    return _correlation(stats.spearmanr, predictions, truth)


def rmse(predictions: np.ndarray, truth: np.ndarray) -> float:
    """Root of the mean squared error, in units of the target; from 0, lower is better."""
    return _error(metrics.root_mean_squared_error, predictions, truth)


def mae(predictions: np.ndarray, truth: np.ndarray) -> float:
    """Mean absolute error, in units of the target; from 0, lower is better."""
    return _error(metrics.mean_absolute_error, predictions, truth)


def is_correlation(metric: Metric) -> bool:
    """Whether a metric says nothing of targets that are all the same."""
    return metric.score in {pearson, spearman}


def _error(
    measure: Callable[[np.ndarray, np.ndarray], float], predictions: np.ndarray, truth: np.ndarray
) -> float:
    """NaN where a value is not finite, which scikit-learn refuses."""
    if not (np.isfinite(predictions).all() and np.isfinite(truth).all()):
        return math.nan
    return float(measure(truth, predictions))


def _correlation(
    correlate: Callable[[np.ndarray, np.ndarray], Any], predictions: np.ndarray, truth: np.ndarray
) -> float:
    """0.0 where either side is constant, of which scipy warns; NaN where a value is not finite."""
    if not (np.isfinite(predictions).all() and np.isfinite(truth).all()):
        return math.nan
    if _is_constant(predictions) or _is_constant(truth):
        return 0.0
    return float(correlate(predictions.astype(float), truth.astype(float)).statistic)


def _is_constant(values: np.ndarray) -> bool:
    return bool((values == values[0]).all())


_CLASSES = (Target.SINGLE_LABEL,)
_LABELS = (Target.MULTI_LABEL,)
_NUMBERS = (Target.REGRESSION,)
_BETTER, _WORSE = True, False

METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", _BETTER, _CLASSES + _LABELS, accuracy),
        Metric("macro_f1", _BETTER, _CLASSES + _LABELS, macro_f1),
        Metric("micro_f1", _BETTER, _LABELS, micro_f1),
        Metric("f1", _BETTER, _CLASSES, binary_f1),
        Metric("matthews", _BETTER, _CLASSES, matthews),
        Metric("pearson", _BETTER, _NUMBERS, pearson),
        Metric("spearman", _BETTER, _NUMBERS, spearman),
        Metric("rmse", _WORSE, _NUMBERS, rmse),
        Metric("mae", _WORSE, _NUMBERS, mae),
    )
}
"""Every metric by its name."""

USUAL: Mapping[Target, str] = {
    Target.SINGLE_LABEL: "accuracy",
    Target.MULTI_LABEL: "macro_f1",
    Target.REGRESSION: "pearson",
}
"""The metric of each target where nothing else is known."""

GLUE: Mapping[str, str] = {"cola": "matthews", "stsb": "pearson"}
"""Sets whose papers report something else (Wang et al. 2018, table 1)."""


def default_metric(target: Target, name: str = "") -> Metric:
    """The usual metric of a data set.

    Args:
        target: What its labels are.
        name: Its name or configuration, e.g. ``cola``; ``glue/cola`` is understood, too.
    """
    metric = METRICS[GLUE.get(name.lower().rsplit("/", 1)[-1], USUAL[target])]
    return metric if target in metric.targets else METRICS[USUAL[target]]


def find_metric(name: str, target: Target, n_outputs: int) -> Metric:
    """The metric of that name.

    Raises:
        TaskError: If there is none, or it can't judge such labels.
    """
    if name not in METRICS:
        raise TaskError(f"--metric has no {name!r}{nearest(name, METRICS)}")
    metric = METRICS[name]
    if target not in metric.targets:
        fitting = ", ".join(each for each, known in METRICS.items() if target in known.targets)
        raise TaskError(f"--metric for {target} labels takes one of {fitting}; got {name!r}")
    if metric.score is binary_f1 and n_outputs != 2:
        raise TaskError(f"--metric f1 needs two classes, got {n_outputs}; take macro_f1")
    return metric


def choose_metric(
    asked: str | None, target: Target, label_names: Sequence[str], name: str = ""
) -> Metric:
    """The metric that is asked for, or the usual one; see `find_metric` and `default_metric`."""
    if asked is None:
        return default_metric(target, name)
    return find_metric(asked, target, len(label_names))
