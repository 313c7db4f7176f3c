"""Errors are scores too: a study whose metric is better when lower turns everything round."""

from dataclasses import replace

import optuna
import pytest
from optuna.study import StudyDirection

from placement_search.evaluation.plan import TrainingPlan
from placement_search.report.curves import incumbents
from placement_search.space.encoding import Encoding
from placement_search.study.answer import find_answer
from placement_search.study.correlations import proxy_correlations
from placement_search.study.course import Course
from placement_search.study.finalists import choose_finalists
from placement_search.study.pruners import PRUNERS
from placement_search.study.pruners.judge import Judge
from placement_search.study.records import ROLE, SEARCHED, ProxyMap, StudyRecord
from placement_search.study.samplers import SAMPLERS
from placement_search.study.samplers.proposer import Proposer
from placement_search.study.samplers.sampler import Question, Setting, distribution
from tests.tiny_records import DEFINITION, finals, study_record, trial
from tests.tiny_spaces import bound

ERRORS = replace(DEFINITION, metric="rmse", is_higher_better=False)
PLACES = ["1>2", "3>3", "5>9", "9>1", "7>7", "2>4"]
SCORES = [0.9, 0.3, 0.5, 0.7, 0.4, 0.6]


def record() -> StudyRecord:
    """Six layouts of one size; the second has the lowest error."""
    trials = [
        trial(number, f"{place}:bottleneck", score)
        for number, (place, score) in enumerate(zip(PLACES, SCORES, strict=True))
    ]
    grid = [[0.0] * 25 for _ in range(25)]
    for place, score in zip(PLACES, SCORES, strict=True):
        source, target = map(int, place.split(">"))
        grid[source][target] = 1 - score
    known = ProxyMap({"perfect": grid}, 8, 1.0, 0.1)
    return replace(study_record(trials, proxy_map=known), definition=ERRORS)


def test_the_ranking_starts_with_the_lowest_error() -> None:
    """And so do the incumbent and the finalists."""
    study = record()

    assert [t.score for t in study.ranking] == sorted(SCORES)
    assert study.incumbent is not None and study.incumbent.score == 0.3
    assert [t.score for t in choose_finalists(study, 2)] == [0.3, 0.4]
    assert [score for _, score in incumbents(study.trials, -1)] == [0.9, 0.3]


def test_the_answer_has_the_lowest_error_and_gains_by_it() -> None:
    """A baseline with a larger error is worse, so the gain is positive."""
    trials = [
        trial(0, "none", 0.9, role="head only", is_eligible=False),
        trial(1, "1>2:bottleneck", 0.5),
        trial(2, "3>3:bottleneck", 0.3),
    ]
    held = [
        *finals("none", [0.90, 0.91, 0.89]),
        *finals("1>2:bottleneck", [0.5, 0.51, 0.49]),
        *finals("3>3:bottleneck", [0.3, 0.31, 0.29]),
    ]
    answer = find_answer(replace(study_record(trials, held), definition=ERRORS))

    assert answer is not None
    assert answer.chosen.trial.number == answer.best.trial.number == 2
    assert answer.comparisons[0].gain.mean == pytest.approx(0.6)
    assert answer.comparisons[0].verdict == "better"


def test_a_proxy_that_is_high_where_errors_are_low_predicts_them() -> None:
    """Correlations are with how good a trial was."""
    found = {p.proxy: p.correlation for p in proxy_correlations(record())}["perfect"]

    assert found is not None
    assert found.mean == pytest.approx(1)


def test_the_sampler_goes_where_errors_are_low() -> None:
    """After trials whose error is the sum of the numbers, it proposes smaller ones."""
    encoding = Encoding(bound())
    distributions = {gene.name: distribution(gene) for gene in encoding.genes}
    drawn = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    history = []
    for _ in range(60):
        params = drawn.ask(distributions).params
        error = sum(v for v in params.values() if isinstance(v, float))
        history.append(optuna.create_trial(value=error, params=params, distributions=distributions))
    means = {}
    for direction in (StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE):
        setting = Setting(encoding, 0, (direction,))
        proposer = Proposer(setting, SAMPLERS["tpe"](setting))
        values = [proposer.propose(Question(60 + i, history), ()).params for i in range(10)]
        means[direction] = sum(sum(v for v in p.values() if isinstance(v, float)) for p in values)

    assert means[StudyDirection.MINIMIZE] < means[StudyDirection.MAXIMIZE]


@pytest.mark.parametrize(("error", "is_hopeless"), [(0.9, True), (0.1, False)])
def test_the_pruner_stops_large_errors(error: float, *, is_hopeless: bool) -> None:
    """The median rule, turned round."""
    judge = Judge(PRUNERS["median"](Course(TrainingPlan(epochs=8)).horizon("errors")), sign=-1)
    history = [
        optuna.create_trial(
            value=0.5,
            intermediate_values=dict.fromkeys(range(1, 9), 0.5),
            user_attrs={ROLE: SEARCHED},
        )
        for _ in range(8)
    ]
    judge.begin(history, 8)

    assert judge.is_hopeless(8, dict.fromkeys(range(1, 6), error)) == is_hopeless
