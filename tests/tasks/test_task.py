import math

import pytest
import torch

from placement_search.errors import TaskError
from placement_search.tasks import Examples, Task


def examples(labels: list[int], fill: float = 0.5) -> Examples:
    pixels = torch.full((len(labels), 1, 2, 2), fill)
    return Examples({"pixel_values": pixels}, torch.tensor(labels, dtype=torch.int64))


def task(name: str = "toy", label_names: tuple[str, ...] = ("a", "b"), fill: float = 0.5) -> Task:
    return Task(
        name, "a toy", label_names, examples([0, 1], fill), examples([1, 0]), examples([1, 1])
    )


def test_examples_count_their_labels() -> None:
    """The length is the number of examples, not of inputs."""
    assert len(examples([0, 1, 1])) == 3


@pytest.mark.parametrize(
    ("pixels", "labels", "said"),
    [
        (torch.zeros(2, 4), torch.tensor([0, 1, 0]), "one entry per label"),
        (torch.tensor(0.0), torch.tensor([0]), "one entry per label"),
        (torch.zeros(2, 4), torch.tensor([0.0, 1.0]), "int64"),
        (torch.zeros(2, 4), torch.tensor([[0], [1]]), "int64"),
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
        Task("toy", "", ("a", "b"), examples([0, 1]), examples([0, 1]), examples([0, 2]))


def test_task_refuses_an_empty_split() -> None:
    """A score needs at least one example."""
    with pytest.raises(TaskError, match="the validation split of task 'toy'"):
        Task("toy", "", ("a", "b"), examples([0, 1]), examples([]), examples([0, 1]))


def test_task_refuses_splits_of_different_inputs() -> None:
    """What a model is trained on is what it is tested on."""
    other = Examples({"input_ids": torch.zeros(1, 3)}, torch.tensor([0]))
    with pytest.raises(TaskError, match="same inputs"):
        Task("toy", "", ("a", "b"), examples([0, 1]), examples([0, 1]), other)


def test_task_refuses_repeated_class_names() -> None:
    """Two classes of one name could not be told apart in a report."""
    with pytest.raises(TaskError, match="repeat"):
        task(label_names=("a", "a"))


def test_task_counts_its_classes_and_scores_accuracy() -> None:
    """The metric has a default, the number of classes comes from their names."""
    assert task().n_classes == 2
    assert task().metric == "accuracy"


def test_fingerprint_changes_with_whatever_a_study_depends_on() -> None:
    """Its name, its class names and its pixels all matter; making it again does not."""
    changed = [
        task(name="other"),
        task(label_names=("a", "c")),
        task(label_names=("a", "b", "c")),
        task(fill=0.25),
    ]

    assert task().fingerprint == task().fingerprint
    assert len({task().fingerprint, *(other.fingerprint for other in changed)}) == 5


def test_fingerprint_ignores_the_layout_of_memory() -> None:
    """A transposed view with the same values is the same data."""
    pixels = torch.rand(2, 3, 3, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1])
    plain = Examples({"pixel_values": pixels.contiguous()}, labels)
    strided = Examples({"pixel_values": pixels.mT.contiguous().mT}, labels)

    tasks = [Task("toy", "", ("a", "b"), split, split, split) for split in (plain, strided)]

    assert tasks[0].fingerprint == tasks[1].fingerprint
