"""What a study's record says of studies of earlier versions, and of measured latencies."""

from dataclasses import replace

import optuna
import pytest

from placement_search.study import records
from placement_search.study.records import FinalRecord, StudyRecord
from tests.tiny_records import DEFINITION, score_card, study_record, trial

FAST, SLOW = "3>9:bottleneck(rank=1)", "3>9:bottleneck(rank=4)"


def measured(*factors: float, limit: str | None = "1.2x") -> StudyRecord:
    """A study of two layouts, the better one of which was measured once per seed."""
    slow = trial(1, SLOW, 0.9)
    finals = [
        FinalRecord(slow.layout_id, replicate, score_card(SLOW, 0.9, 0.9, latency))
        for replicate, latency in enumerate(factors, start=1)
    ]
    record = study_record([trial(0, FAST, 0.5), slow], finals)
    return replace(record, definition=replace(DEFINITION, max_latency=limit))


def earlier(*, is_mapped: bool, has_begun: bool) -> optuna.Study:
    """A study of a version that did not say whether it has a proxy map."""
    study = optuna.create_study()
    stored = DEFINITION.as_json()
    del stored["has_proxy_map"]
    study.set_user_attr(records.DEFINITION, stored)
    if is_mapped:
        study.set_user_attr(records.PROXY_MAP, {})
    if has_begun:
        study.enqueue_trial({})
    return study


@pytest.mark.parametrize(
    ("is_mapped", "has_begun", "expected"),
    [(True, True, True), (False, True, False), (False, False, True)],
)
def test_a_study_of_an_earlier_version_has_a_map_if_it_holds_one(
    *, is_mapped: bool, has_begun: bool, expected: bool
) -> None:
    """With trials and no map it was made with ``--no-map``; without trials it may still get one."""
    held = records.read_definition(earlier(is_mapped=is_mapped, has_begun=has_begun))

    assert held == replace(DEFINITION, has_proxy_map=expected)


def test_a_study_says_itself_whether_it_has_a_map() -> None:
    """Also before the map is computed, and after it was left out."""
    for has_map in (True, False):
        study = optuna.create_study()
        asked = replace(DEFINITION, has_proxy_map=has_map)
        study.set_user_attr(records.DEFINITION, asked.as_json())
        study.enqueue_trial({})

        assert records.read_definition(study) == asked


def test_a_layout_that_is_measured_too_slow_is_no_incumbent() -> None:
    """However good it is; without a limit nothing is too slow."""
    record = measured(1.25, 1.3, 1.35)

    assert record.too_slow == {record.trials[1].layout_id: 1.3}
    assert record.incumbent == record.trials[0]
    assert measured(1.3, limit=None).incumbent == record.trials[1]


@pytest.mark.parametrize("factors", [(1.9, 1.1, 1.15), (1.2,), ()])
def test_one_measurement_that_is_off_excludes_nothing(factors: tuple[float, ...]) -> None:
    """The median over seeds counts; the limit itself is within it, and so is what nobody timed."""
    record = measured(*factors)

    assert record.too_slow == {}
    assert record.incumbent == record.trials[1]
