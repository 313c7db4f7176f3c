"""Metrics are scikit-learn's and scipy's, with rules where those warn or give NaN."""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    matthews_corrcoef,
    mean_absolute_error,
    root_mean_squared_error,
)

from placement_search.errors import TaskError
from placement_search.tasks.metrics import METRICS, default_metric, find_metric
from placement_search.tasks.target import Target

CLASSES = st.integers(2, 40).flatmap(
    lambda n: st.tuples(*[arrays(np.int64, n, elements=st.integers(0, 3)) for _ in range(2)])
)
BINARY = st.integers(2, 40).flatmap(
    lambda n: st.tuples(*[arrays(np.int64, n, elements=st.integers(0, 1)) for _ in range(2)])
)
SETS = st.integers(2, 20).flatmap(
    lambda n: st.tuples(*[arrays(np.bool_, (n, 3)) for _ in range(2)])
)
NUMBERS = st.integers(3, 40).flatmap(
    lambda n: st.tuples(*[arrays(np.int64, n, elements=st.integers(-9, 9)) for _ in range(2)])
)


def close(name: str, pair: tuple[np.ndarray, np.ndarray], expected: float) -> bool:
    return math.isclose(METRICS[name].score(*pair), expected, rel_tol=1e-9, abs_tol=1e-9)


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(CLASSES)
def test_scores_of_classes_are_those_of_scikit_learn(pair: tuple[np.ndarray, np.ndarray]) -> None:
    """Accuracy, macro F1 over the classes that occur, and Matthews correlation."""
    said, truth = pair

    assert close("accuracy", pair, accuracy_score(truth, said))
    assert close("macro_f1", pair, f1_score(truth, said, average="macro", zero_division=0))
    is_one_class = len(np.union1d(said, truth)) == 1  # scikit-learn warns and gives 0.0
    assert close("matthews", pair, 0.0 if is_one_class else matthews_corrcoef(truth, said))


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(BINARY)
def test_f1_is_that_of_the_second_class(pair: tuple[np.ndarray, np.ndarray]) -> None:
    """As scikit-learn's, which calls it positive."""
    said, truth = pair

    assert close("f1", pair, f1_score(truth, said, zero_division=0))


def test_sets_of_one_label_are_no_two_classes() -> None:
    """The mean is over labels that occur, so it is this label's F1, however many are without it."""
    truth, said = (np.array([each]).T for each in ([1, 0, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0]))

    assert close("macro_f1", (said, truth), 2 / 3)
    assert close("micro_f1", (said, truth), 2 / 3)


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(SETS)
def test_scores_of_sets_are_those_of_scikit_learn(pair: tuple[np.ndarray, np.ndarray]) -> None:
    """A label that is neither asked nor said is left out of the mean."""
    said, truth = pair
    macro = f1_score(truth, said, average="macro", zero_division=np.nan)

    assert close("accuracy", pair, accuracy_score(truth, said))
    assert close("macro_f1", pair, 0.0 if np.isnan(macro) else macro)
    assert close("micro_f1", pair, f1_score(truth, said, average="micro", zero_division=0))


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(NUMBERS)
def test_scores_of_numbers_are_those_of_scipy(pair: tuple[np.ndarray, np.ndarray]) -> None:
    """Ties share a rank, and a constant side gives 0.0 where scipy warns and gives NaN."""
    said, truth = pair
    is_constant = np.ptp(said) == 0 or np.ptp(truth) == 0

    assert close("pearson", pair, 0.0 if is_constant else pearsonr(said, truth).statistic)
    assert close("spearman", pair, 0.0 if is_constant else spearmanr(said, truth).statistic)
    assert close("rmse", pair, root_mean_squared_error(truth, said))
    assert close("mae", pair, mean_absolute_error(truth, said))


@pytest.mark.parametrize("name", ["pearson", "spearman", "rmse", "mae"])
def test_a_prediction_that_is_no_number_shows(name: str) -> None:
    """A training that broke must not score as a constant one."""
    assert math.isnan(
        METRICS[name].score(np.array([math.nan, 1.0, 2.0]), np.array([0.0, 1.0, 2.0]))
    )


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_truth_scores_best(metric: object) -> None:
    """Direction and function of every line of the table belong together."""
    known = METRICS[metric.name]  # type: ignore[attr-defined]
    truths = {
        Target.SINGLE_LABEL: (np.array([0, 1, 1, 0]), np.array([1, 1, 0, 0])),
        Target.MULTI_LABEL: (np.eye(4) > 0, np.ones((4, 4)) > 0),
        Target.REGRESSION: (np.array([1.0, 2.0, 3.0]), np.array([2.0, 3.0, 1.0])),
    }
    for target in known.targets:
        truth, other = truths[target]
        best, worse = known.score(truth, truth), known.score(other, truth)

        assert best > worse if known.is_higher_better else best < worse


@pytest.mark.parametrize(
    ("target", "name", "expected"),
    [
        (Target.SINGLE_LABEL, "", "accuracy"),
        (Target.SINGLE_LABEL, "nyu-mll/glue/cola", "matthews"),
        (Target.SINGLE_LABEL, "CoLA", "matthews"),
        (Target.REGRESSION, "glue/stsb", "pearson"),
        (Target.SINGLE_LABEL, "stsb", "accuracy"),
        (Target.MULTI_LABEL, "goemotions", "macro_f1"),
        (Target.REGRESSION, "", "pearson"),
    ],
)
def test_the_usual_metric_follows_target_and_name(target: Target, name: str, expected: str) -> None:
    """A name counts only where its metric can judge the target."""
    assert default_metric(target, name).name == expected


@pytest.mark.parametrize(
    ("name", "target", "n_outputs", "said"),
    [
        ("acuracy", Target.SINGLE_LABEL, 2, "did you mean 'accuracy'"),
        ("pearson", Target.SINGLE_LABEL, 2, "takes one of accuracy, macro_f1, f1, matthews; got"),
        ("f1", Target.SINGLE_LABEL, 3, "two classes, got 3; take macro_f1"),
    ],
)
def test_a_metric_that_can_not_be_is_refused(
    name: str, target: Target, n_outputs: int, said: str
) -> None:
    """The message says what could be taken."""
    with pytest.raises(TaskError, match=said):
        find_metric(name, target, n_outputs)


def test_names_and_settings_load_nothing_heavy() -> None:
    """Records of studies know targets and settings without torch or scikit-learn."""
    program = (
        "import sys\n"
        "from placement_search.tasks import settings, target\n"
        "print({'torch', 'sklearn', 'scipy', 'transformers', 'datasets'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )

    assert done.stdout.strip() == "set()"
