import math
from typing import Any

import pytest
import torch

from placement_search.errors import TaskError
from placement_search.tasks.metrics import METRICS, default_metric
from placement_search.tasks.target import Target
from placement_search.tasks.task import Examples, Task


def examples(labels: list[int], fill: float = 0.5) -> Examples:
    pixels = torch.full((len(labels), 1, 2, 2), fill)
    return Examples({"pixel_values": pixels}, torch.tensor(labels, dtype=torch.int64))


def task(name: str = "toy", label_names: tuple[str, ...] = ("a", "b"), fill: float = 0.5) -> Task:
    parts = examples([0, 1], fill), examples([1, 0]), examples([1, 1])
    return classes(name, label_names, *parts)


def classes(
    name: str, label_names: tuple[str, ...], train: Examples, validation: Examples, test: Examples
) -> Task:
    target, metric = Target.SINGLE_LABEL, METRICS["accuracy"]
    return Task(name, target, label_names, metric, train, validation, test)


def labelled(target: Target, labels: torch.Tensor, n_outputs: int = 3, **settings: Any) -> Task:
    """The same examples in every split."""
    split = Examples({"pixel_values": torch.zeros(len(labels), 1)}, labels)
    names = tuple("abc"[:n_outputs])
    metric = settings.pop("metric", default_metric(target))
    return Task("toy", target, names, metric, split, split, split, **settings)


SETS = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
NUMBERS = torch.tensor([-1.0, 0.0, 2.0])


def test_examples_count_their_labels() -> None:
    """The length is the number of examples, not of inputs."""
    assert len(examples([0, 1, 1])) == 3


@pytest.mark.parametrize(
    ("pixels", "labels", "said"),
    [
        (torch.zeros(2, 4), torch.tensor([0, 1, 0]), "one entry per label"),
        (torch.tensor(0.0), torch.tensor([0]), "one entry per label"),
        (torch.zeros(2, 4), torch.tensor([0, 1], dtype=torch.int32), "int64"),
        (torch.zeros(2, 4), torch.tensor([[0], [1]]), "int64"),
        (torch.zeros(2, 4), torch.tensor([0.0, math.nan]), "'labels' must be finite"),
        (torch.full((2, 4), math.nan), torch.tensor([0, 1]), "finite"),
        (torch.full((2, 4), math.inf), torch.tensor([0, 1]), "finite"),
    ],
)
def test_examples_refuse_what_cannot_be_trained_on(
    pixels: torch.Tensor, labels: torch.Tensor, said: str
) -> None:
    """A broken data set is named where it is made, not in a training loop."""
    with pytest.raises(TaskError, match=said):
        Examples({"pixel_values": pixels}, labels)


def test_examples_need_an_input() -> None:
    """Labels alone are no examples."""
    with pytest.raises(TaskError, match="at least one input"):
        Examples({}, torch.tensor([0]))


def test_task_refuses_a_label_outside_its_classes() -> None:
    """The message says the labels found and the split they stand in."""
    with pytest.raises(TaskError, match="got 0 to 2 in the test split of task 'toy'"):
        classes("toy", ("a", "b"), examples([0, 1]), examples([0, 1]), examples([0, 2]))


def test_task_refuses_an_empty_split() -> None:
    """A score needs at least one example."""
    with pytest.raises(TaskError, match="the validation split of task 'toy'"):
        classes("toy", ("a", "b"), examples([0, 1]), examples([]), examples([0, 1]))


def test_task_refuses_splits_of_different_inputs() -> None:
    """What a model is trained on is what it is tested on."""
    other = Examples({"input_ids": torch.zeros(1, 3)}, torch.tensor([0]))
    with pytest.raises(TaskError, match="same inputs"):
        classes("toy", ("a", "b"), examples([0, 1]), examples([0, 1]), other)


def test_task_refuses_repeated_class_names() -> None:
    """Two classes of one name could not be told apart in a report."""
    with pytest.raises(TaskError, match="repeat"):
        task(label_names=("a", "a"))


def test_the_head_has_an_output_for_each_name() -> None:
    """One logit for each class or label, one for a number."""
    assert task().n_outputs == 2
    assert labelled(Target.MULTI_LABEL, SETS).n_outputs == 3
    assert labelled(Target.REGRESSION, NUMBERS, 1).n_outputs == 1


@pytest.mark.parametrize(
    ("target", "labels", "said"),
    [
        (Target.SINGLE_LABEL, NUMBERS, "single-label labels can't be torch.float32"),
        (Target.REGRESSION, torch.tensor([1, 2]), "regression labels can't be torch.int64"),
        (Target.MULTI_LABEL, NUMBERS, "can't be torch.float32 of shape"),
        (Target.MULTI_LABEL, SETS / 2, "must be 0 or 1 for each of 3 names"),
        (Target.MULTI_LABEL, SETS[:, :2], "must be 0 or 1 for each of 3 names"),
    ],
)
def test_task_refuses_labels_of_another_target(
    target: Target, labels: torch.Tensor, said: str
) -> None:
    """A loss that fits the shape by chance would train on nonsense."""
    with pytest.raises(TaskError, match=said):
        labelled(target, labels)


def test_task_refuses_a_metric_of_another_target() -> None:
    """Nobody can correlate classes."""
    with pytest.raises(TaskError, match="pearson can't judge single-label"):
        labelled(Target.SINGLE_LABEL, torch.tensor([0, 1]), metric=METRICS["pearson"])


@pytest.mark.parametrize(
    ("target", "labels", "n_outputs"),
    [
        (Target.SINGLE_LABEL, torch.tensor([0, 2, 1]), 3),
        (Target.MULTI_LABEL, SETS, 3),
        (Target.REGRESSION, NUMBERS, 1),
    ],
)
def test_losses_reduce_over_examples(target: Target, labels: torch.Tensor, n_outputs: int) -> None:
    """One loss per example, of which the others are sum and mean."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(len(labels), n_outputs, generator=generator)
    toy = labelled(target, labels, n_outputs)
    losses = toy.loss(logits, labels, "none")

    assert losses.shape == (len(labels),)
    assert torch.allclose(toy.loss(logits, labels, "sum"), losses.sum())
    assert torch.allclose(toy.loss(logits, labels), losses.mean())
    with pytest.raises(ValueError, match="max"):
        toy.loss(logits, labels, "max")


def test_sets_cost_what_each_label_costs_on_average() -> None:
    """At a logit of 0 every label costs log 2, however many there are."""
    toy = labelled(Target.MULTI_LABEL, SETS)

    assert math.isclose(float(toy.loss(torch.zeros(2, 3), SETS)), math.log(2), rel_tol=1e-6)


def test_sets_are_scored_at_a_logit_of_zero() -> None:
    """A label is said where its logit lies above 0, so at a probability of one half."""
    toy = labelled(Target.MULTI_LABEL, SETS, metric=METRICS["accuracy"])

    assert toy.score(SETS - 0.5, SETS) == 1.0
    assert toy.score(SETS - 1.0, SETS) == 0.0


def test_numbers_are_scored_in_their_own_units() -> None:
    """An error of one standard deviation is as many units as that deviation has."""
    toy = labelled(Target.REGRESSION, NUMBERS, 1, metric=METRICS["rmse"], scale=(100.0, 8.0))

    assert math.isclose(toy.score(NUMBERS[:, None] + 1, NUMBERS), 8.0, rel_tol=1e-6)
    assert math.isclose(float(toy.loss(NUMBERS[:, None] + 1, NUMBERS)), 1.0, rel_tol=1e-6)


def test_fingerprint_changes_with_whatever_a_study_depends_on() -> None:
    """Its class names and its pixels matter; making it again does not, nor does its own name."""
    changed = [
        task(label_names=("a", "c")),
        task(label_names=("a", "b", "c")),
        task(fill=0.25),
    ]

    assert task().fingerprint == task().fingerprint == task(name="other").fingerprint
    assert len({task().fingerprint, *(other.fingerprint for other in changed)}) == 4


def test_fingerprint_changes_with_target_and_scale() -> None:
    """The same tensors may mean something else."""
    flags = labelled(Target.REGRESSION, NUMBERS, 1)
    scaled = labelled(Target.REGRESSION, NUMBERS, 1, scale=(0.0, 2.0))

    assert flags.fingerprint != scaled.fingerprint


def test_fingerprint_ignores_how_a_split_is_scored() -> None:
    """The data is the same; a study's definition names the metric by itself."""
    labels = torch.tensor([0, 1, 2])
    tasks = [
        labelled(Target.SINGLE_LABEL, labels, metric=METRICS[name]) for name in ("f1", "accuracy")
    ]

    assert tasks[0].fingerprint == tasks[1].fingerprint


def test_fingerprint_ignores_the_layout_of_memory() -> None:
    """A transposed view with the same values is the same data."""
    pixels = torch.rand(2, 3, 3, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1])
    plain = Examples({"pixel_values": pixels.contiguous()}, labels)
    strided = Examples({"pixel_values": pixels.mT.contiguous().mT}, labels)

    tasks = [classes("toy", ("a", "b"), split, split, split) for split in (plain, strided)]

    assert tasks[0].fingerprint == tasks[1].fingerprint


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize(
    ("target", "labels", "n_outputs"),
    [
        (Target.SINGLE_LABEL, torch.tensor([0, 2, 1]), 3),
        (Target.MULTI_LABEL, SETS, 3),
        (Target.REGRESSION, NUMBERS, 1),
    ],
)
def test_logits_that_are_not_finite_have_no_score(
    target: Target, labels: torch.Tensor, n_outputs: int, bad: float
) -> None:
    """The largest of NaN would be the first class, and often right."""
    logits = torch.zeros(len(labels), n_outputs)
    logits[0, 0] = bad

    assert math.isnan(labelled(target, labels, n_outputs).score(logits, labels))
