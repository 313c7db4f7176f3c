"""What evaluations share."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from placement_search.adapted import frozen
from placement_search.adapted.frozen import KeptStates, MissingStates
from placement_search.backbones.families import Pooling
from placement_search.errors import BackboneError, TaskError
from placement_search.evaluation.pooling import PoolingChoice
from placement_search.evaluation.workbench import Workbench
from placement_search.layout import Layout
from placement_search.tasks.loading import load_task
from placement_search.tasks.metrics import METRICS
from placement_search.tasks.settings import DataSettings
from placement_search.tasks.target import Target
from placement_search.tasks.task import Examples, Task
from tests.tiny_backbones import tiny_bert, tiny_vit
from tests.tiny_task import tiny_task


def test_images_on_a_text_model_are_refused() -> None:
    """The error names what the model takes and what the task gives."""
    with pytest.raises(TaskError, match=r"(?s)text.*image"):
        load_task(DataSettings("digits"), tiny_bert().input_format)


def test_a_pooling_that_the_family_lacks_is_refused() -> None:
    """The error names the ones that it has."""
    with pytest.raises(BackboneError, match="auto, cls, mean; got 'last'"):
        Workbench(tiny_vit(), tiny_task(), pooling="last")


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_a_pooling_that_is_asked_for_is_used(pooling: str) -> None:
    """Nothing is compared then."""
    bench = Workbench(tiny_vit(), tiny_task(), pooling=pooling)

    assert bench.adapted(Layout()).pooling is Pooling(pooling)
    assert bench.pooling_choice.scores == {}


def test_auto_takes_the_pooling_with_the_best_probe() -> None:
    """Every pooling of the family is compared on the validation split."""
    choice = Workbench(tiny_vit(), tiny_task()).pooling_choice

    assert choice.scores.keys() == {"cls", "mean"}
    assert choice.scores[choice.pooling.value] == max(choice.scores.values())
    assert choice.describe().startswith(f"pooling: {choice.pooling.value}, by the head probe")


def test_a_choice_that_was_made_before_stands() -> None:
    """A study that is continued pools as it did, whatever the probe says now."""
    bench = Workbench(tiny_vit(), tiny_task())
    other = next(p for p in bench.backbone.poolings if p is not bench.pooling)
    bench = Workbench(tiny_vit(), tiny_task())
    bench.settle_pooling(PoolingChoice(other, {}))

    assert bench.adapted(Layout()).pooling is other


def as_regression(task: Task) -> Task:
    """The same images with a number to predict, scored by an error."""
    numbers = [Examples(e.inputs, e.labels.float() - 1.5) for e in task.splits.values()]
    train, validation, test = numbers
    return replace(
        task, target=Target.REGRESSION, label_names=("number",), metric=METRICS["rmse"],
        train=train, validation=validation, test=test, scale=(1.5, 1.0),
    )  # fmt: skip


def test_auto_knows_that_a_low_error_is_better() -> None:
    """The direction of the metric decides."""
    choice = Workbench(tiny_vit(), as_regression(tiny_task())).pooling_choice

    assert choice.scores[choice.pooling.value] == min(choice.scores.values())


def test_the_head_is_that_of_the_pooling_that_was_settled() -> None:
    """Also where one was fitted before."""
    first, other = tiny_vit().poolings[:2]
    bench, fresh = (
        Workbench(tiny_vit(), tiny_task(), pooling=each.value) for each in (first, other)
    )
    old = bench.head
    bench.settle_pooling(fresh.pooling_choice)
    features = fresh.validation.states.features[other]

    assert bench.head is not old
    assert torch.equal(bench.head.logits(features), fresh.head.logits(features))


def test_states_that_fit_nowhere_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The features are the same, bit for bit, and so is the memory that they are said to need."""
    monkeypatch.setattr(frozen, "SHARE_OF_DISK", 0)
    kept, recomputed = (
        Workbench(tiny_vit(), tiny_task(), memory_limit=limit).train.states for limit in (10**9, 0)
    )

    assert isinstance(kept, KeptStates)
    assert isinstance(recomputed, MissingStates)
    assert kept.n_bytes == recomputed.n_bytes > 0
    assert all(torch.equal(kept.features[p], recomputed.features[p]) for p in kept.features)


def test_a_file_of_states_does_not_outlive_its_states(tmp_path: Path) -> None:
    """It has no name from the start, so that nothing is left however the process ends."""
    backbone = tiny_vit()
    inputs = backbone.made_up_inputs(5, seed=0)
    kept = frozen.frozen_states(backbone, inputs, 10**9)
    room = frozen._File(backbone, 25, tmp_path)
    for node, state in kept._states.items():  # type: ignore[attr-defined]
        room.states[node].copy_(state)

    assert not list(tmp_path.iterdir())
    assert all(torch.equal(room.states[node], kept._states[node]) for node in room.states)  # type: ignore[attr-defined]


@pytest.mark.slow
def test_the_head_fits_every_kind_of_target() -> None:
    """Classes, several labels and numbers: one output each, better than guessing."""
    single = tiny_task()
    train, validation, test = (
        Examples(e.inputs, torch.stack(_marks(e.labels), 1).float()) for e in single.splits.values()
    )
    several = replace(
        single, target=Target.MULTI_LABEL, metric=METRICS["macro_f1"],
        label_names=("upper", "left", "never"), train=train, validation=validation, test=test,
    )  # fmt: skip
    for task, least in ((single, 0.5), (several, 0.4)):
        bench = Workbench(tiny_vit(), task)
        features = bench.validation.states.features[bench.pooling]
        logits = bench.head.logits(features)

        assert logits.shape == (24, task.n_outputs)
        assert task.score(logits, bench.validation.labels) > least


def _marks(labels: torch.Tensor) -> list[torch.Tensor]:
    return [labels < 2, labels % 2 == 0, labels > 9]
