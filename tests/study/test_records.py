"""What a study's record says of studies of earlier versions, and of measured latencies."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.storages import RDBStorage

from placement_search.study import records
from placement_search.study.records import FinalRecord, StudyRecord
from placement_search.study.trial_rows import TrialRows
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


@pytest.fixture
def in_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Sets the process's time zone."""

    def change(zone: str) -> None:
        monkeypatch.setenv("TZ", zone)
        time.tzset()

    yield change
    monkeypatch.undo()
    time.tzset()


def test_a_start_is_read_alike_in_every_time_zone(
    tmp_path: Path, in_zone: Callable[[str], None]
) -> None:
    """In UTC, for a proposal and for what was queued: else its report would differ elsewhere."""
    in_zone("Asia/Tokyo")
    storage = RDBStorage(f"sqlite:///{tmp_path}/study.db")
    study = optuna.create_study(storage=storage)
    rows = TrialRows.where_known(storage, study._study_id, {"x": FloatDistribution(0, 1)})
    assert rows is not None
    made = trial(0, FAST, None)
    attributes = {
        records.ROLE: made.role,
        records.LAYOUT: made.layout,
        records.LAYOUT_ID: made.layout_id,
        records.N_PARAMETERS: made.n_adapter_parameters,
        records.IS_ELIGIBLE: True,
    }
    before = datetime.now(UTC).replace(tzinfo=None)
    rows.add(0, {"x": 0.5}, attributes)
    study.enqueue_trial({}, user_attrs=attributes)
    study.ask()
    read = []
    for zone in ("Asia/Tokyo", "America/New_York"):
        in_zone(zone)
        again = optuna.load_study(study_name=study.study_name, storage=storage)
        read.append([records._record(each).started for each in again.get_trials()])

    assert read[0] == read[1]
    assert len(read[0]) == 2
    for started in read[0]:
        assert started is not None
        assert before <= started <= before + timedelta(minutes=5)


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
