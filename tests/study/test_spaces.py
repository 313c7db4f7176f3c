"""The space of a study within its budgets."""

from dataclasses import replace

import optuna
import pytest

from placement_search.errors import SpaceError
from placement_search.evaluation.workbench import Workbench
from placement_search.modules import parse_layout
from placement_search.space.cost_table import Price
from placement_search.study import spaces
from placement_search.study.settings import SearchSettings
from placement_search.study.spaces import keep_latency, study_latency, study_space
from tests.tiny_task import tiny_bench

SETTINGS = SearchSettings()


@pytest.fixture(scope="module")
def bench() -> Workbench:
    return tiny_bench()


def test_without_limits_nothing_is_counted(bench: Workbench) -> None:
    """Parameters are known by formula; operations would take passes of the backbone."""
    space = study_space(SETTINGS, bench)

    assert space.predicted(parse_layout("1>0:bottleneck(rank=4)")).n_flops is None


def test_a_limit_on_operations_leaves_recurrent_layouts_out(bench: Workbench) -> None:
    """Their second pass costs about as much as the first."""
    space = study_space(replace(SETTINGS, max_flops="1.5x"), bench)

    assert space.contains(parse_layout("0>1:bottleneck(rank=4)"))
    assert not space.contains(parse_layout("1>0:bottleneck(rank=4)"))


def test_a_limit_on_bytes_counts_the_head(bench: Workbench) -> None:
    """Of 4 · 17 parameters in float32; a bottleneck of rank 4 on width 16 has 180."""
    least = 4 * (4 * 17 + 180)
    space = study_space(replace(SETTINGS, max_bytes=f"{least}"), bench)

    assert space.at_most == 1
    with pytest.raises(SpaceError, match=rf"extended: .*{least:,} bytes, the most is {least - 1}"):
        study_space(replace(SETTINGS, max_bytes=f"{least - 1}"), bench)


def test_latency_is_measured_once_in_a_studys_life(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A study that goes on elsewhere decides as it did."""
    study, settings = optuna.create_study(), replace(SETTINGS, max_latency="1.2x")
    measured = Price((0.01, 0.125), fixed=1.0, first_pass=(0.9,) * bench.backbone.n_nodes)
    monkeypatch.setattr(spaces, "latency_price", lambda *_: measured)
    first = study_latency(None, settings, bench)
    keep_latency(study, first)
    monkeypatch.setattr(spaces, "latency_price", lambda *_: pytest.fail("measured again"))

    assert first == study_latency(study, settings, bench) == measured
    assert spaces.LATENCY in study.user_attrs


def test_a_limit_on_latency_is_kept_by_what_was_measured(bench: Workbench) -> None:
    """At a tenth for each of rank 8, one of them is within 1.2 and two are not."""
    price = Price((0.01, 0.15), fixed=1.0, first_pass=(0.9,) * bench.backbone.n_nodes)
    space = study_space(replace(SETTINGS, max_latency="1.2x"), bench, price)

    assert space.contains(parse_layout("0>1:bottleneck(rank=8)"))
    assert not space.contains(parse_layout("0>1:bottleneck(rank=8)+1>2:bottleneck(rank=8)"))
    assert space.contains(parse_layout("0>1:bottleneck(rank=4)+1>2:bottleneck(rank=4)"))
    assert not space.contains(parse_layout("1>0:bottleneck(rank=4)"))


def test_a_study_without_the_limit_measures_nothing(bench: Workbench) -> None:
    """Measuring takes time, and depends on the machine."""
    assert study_latency(optuna.create_study(), SETTINGS, bench) is None
