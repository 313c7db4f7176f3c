import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from placement_search.errors import TaskError
from placement_search.tasks import TASKS, Task, digits, load_task
from placement_search.tasks.canvas import Placement, drawn
from placement_search.tasks.digits import DigitImages, load_digit_splits

every_task = pytest.mark.parametrize("name", TASKS)


@pytest.fixture(scope="module")
def tasks() -> dict[str, Task]:
    return {name: load_task(name) for name in TASKS}


def test_splits_share_no_digit_image() -> None:
    """All 1797 images are used, each in one split; no two of them are alike."""
    images = torch.cat([part.images for part in load_digit_splits().values()])

    assert len(images) == 1797
    assert len(torch.unique(images.flatten(1), dim=0)) == 1797


def test_splits_hold_every_class_in_proportion() -> None:
    """A split's share of a class differs from its share of all images by less than one image."""
    splits = load_digit_splits()
    counts = torch.stack([torch.bincount(part.digits, minlength=10) for part in splits.values()])
    shares = torch.tensor([len(part) for part in splits.values()]) / 1797

    assert (counts - shares[:, None] * counts.sum(dim=0)).abs().max() < 2


@every_task
def test_canvases_come_from_their_own_split_alone(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With images of one grey per split, no other split's grey reaches a canvas."""
    greys = {"train": 0.25, "validation": 0.5, "test": 1.0}

    def grey_splits() -> dict[str, DigitImages]:
        return {
            split: DigitImages(torch.full_like(part.images, greys[split]), part.digits)
            for split, part in load_digit_splits().items()
        }

    monkeypatch.setattr(digits, "load_digit_splits", grey_splits)
    task = load_task(name)

    for split, examples in task.splits.items():
        brightest = examples.inputs["pixel_values"].amax(dim=(1, 2, 3))
        assert torch.equal(brightest, torch.full_like(brightest, greys[split]))


@every_task
def test_canvases_are_grey_pictures_with_something_on_them(
    name: str, tasks: dict[str, Task]
) -> None:
    """Shape, type and range are what every backbone of the embedded size takes."""
    for examples in tasks[name].splits.values():
        pixels = examples.inputs["pixel_values"]

        assert pixels.shape == (len(examples), 1, 16, 16)
        assert pixels.dtype == torch.float32
        assert pixels.min() == 0
        assert pixels.max() <= 1
        assert pixels.amax(dim=(1, 2, 3)).min() > 0.4


@every_task
def test_splits_have_the_promised_sizes(name: str, tasks: dict[str, Task]) -> None:
    """800 to train on; validation is larger where images may come again."""
    sizes = {split: len(examples) for split, examples in tasks[name].splits.items()}
    expected = digits.SPLIT_SIZES if name == "digits" else digits.CANVASES

    assert sizes == expected


@every_task
def test_classes_are_balanced(name: str, tasks: dict[str, Task]) -> None:
    """No class is more than a fifth rarer or commoner than the mean, in any split."""
    task = tasks[name]
    for examples in task.splits.values():
        counts = torch.bincount(examples.labels, minlength=task.n_classes)
        mean = len(examples) / task.n_classes

        assert counts.min() >= 0.8 * mean
        assert counts.max() <= 1.2 * mean


@every_task
def test_no_canvas_comes_twice(name: str, tasks: dict[str, Task]) -> None:
    """An image used again lies elsewhere or is turned otherwise, and never crosses splits."""
    splits = tasks[name].splits.values()
    canvases = torch.cat([examples.inputs["pixel_values"].flatten(1) for examples in splits])

    n_repeated = len(canvases) - len(torch.unique(canvases, dim=0))

    # 800 canvases draw each image twice among 64 places: a few coincide by chance.
    assert n_repeated <= (40 if name == "digits-location" else 0)


def test_tasks_ignore_global_random_state(tasks: dict[str, Task]) -> None:
    """What was drawn before from torch's or numpy's global generators changes no data."""
    torch.rand(1)
    np.random.rand(1)  # noqa: NPY002 - the global state is what must not matter

    assert [load_task(name).fingerprint for name in TASKS] == [
        task.fingerprint for task in tasks.values()
    ]


def test_fingerprints_are_stable_across_processes(tasks: dict[str, Task]) -> None:
    """A study resumed tomorrow finds the same data."""
    program = (
        "from placement_search.tasks import TASKS, load_task\n"
        "for name in TASKS: print(load_task(name).fingerprint)"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    there = subprocess.run(
        [sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True
    )

    assert there.stdout.split() == [task.fingerprint for task in tasks.values()]


def test_fingerprints_differ_between_tasks(tasks: dict[str, Task]) -> None:
    """Tasks of equal shapes are still told apart."""
    assert len({task.fingerprint for task in tasks.values()}) == len(TASKS)


def test_names_in_the_table_are_the_tasks_names(tasks: dict[str, Task]) -> None:
    """What is asked for is what is written into a layout file."""
    assert {name: task.name for name, task in tasks.items()} == {name: name for name in TASKS}


def test_rotation_leaves_out_digits_whose_turn_is_ambiguous() -> None:
    """0, 1 and 8 look like themselves when turned, and only one of 6 and 9 may stay."""
    kept = set(digits.TURNABLE_DIGITS)

    assert kept.isdisjoint({0, 1, 8})
    assert not {6, 9} <= kept


def test_rotation_draws_only_the_kept_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """With every other digit painted black, no canvas is black."""

    def blackened() -> dict[str, DigitImages]:
        splits = {}
        for split, part in load_digit_splits().items():
            is_kept = torch.isin(part.digits, torch.tensor(digits.TURNABLE_DIGITS))
            splits[split] = DigitImages(part.images * is_kept[:, None, None], part.digits)
        return splits

    monkeypatch.setattr(digits, "load_digit_splits", blackened)
    task = digits.digits_rotation()

    for examples in task.splits.values():
        assert examples.inputs["pixel_values"].amax(dim=(1, 2, 3)).min() > 0.4


def test_location_labels_follow_the_picture(tasks: dict[str, Task]) -> None:
    """The centre of brightness lies in the labelled cell, give or take a lopsided digit."""
    examples = tasks["digits-location"].train
    pixels = examples.inputs["pixel_values"][:, 0]
    axis = torch.arange(16) + 0.5
    brightness = pixels.sum(dim=(1, 2))
    down = (pixels.sum(dim=2) * axis).sum(dim=1) / brightness
    right = (pixels.sum(dim=1) * axis).sum(dim=1) / brightness
    rows, columns = examples.labels // 4, examples.labels % 4

    # A digit's centre lies at 4.5 + 2 * cell on average, moved by half a pixel either way.
    assert (down - (4.5 + 2 * rows)).abs().mean() < 1
    assert (right - (4.5 + 2 * columns)).abs().mean() < 1


def test_count_brightness_grows_with_the_count(tasks: dict[str, Task]) -> None:
    """More digits, more ink: the mean brightness orders the classes."""
    examples = tasks["digits-count"].train
    brightness = examples.inputs["pixel_values"].mean(dim=(1, 2, 3))
    means = torch.stack([brightness[examples.labels == label].mean() for label in range(6)])

    assert (means.diff() > 0).all()


def test_drawn_keeps_a_picture_of_the_canvas_size() -> None:
    """An upright picture at its own size comes back as it went in, to the rounding of 1/256."""
    picture = torch.randint(0, 17, (3, 16, 16), generator=torch.Generator().manual_seed(0)) / 16

    assert torch.equal(drawn(picture, Placement.centred(3, 16.0))[:, 0], picture)


def test_drawn_turns_anticlockwise() -> None:
    """A quarter turn takes the right edge to the top."""
    picture = torch.zeros(1, 16, 16)
    picture[:, 3, 12] = 1.0
    zeros = np.zeros(1)
    quarter = Placement(width=zeros + 16, right=zeros, down=zeros, turn=zeros + 90)

    assert torch.equal(drawn(picture, quarter)[:, 0], picture.rot90(1, dims=(1, 2)))


def test_drawn_moves_right_and_down() -> None:
    """Whole pixels move without loss."""
    picture = torch.zeros(1, 16, 16)
    picture[:, 3, 5] = 1.0
    zeros = np.zeros(1)
    moved = Placement(width=zeros + 16, right=zeros + 2, down=zeros + 1, turn=zeros)

    assert torch.equal(drawn(picture, moved)[:, 0], picture.roll((1, 2), dims=(1, 2)))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("digits-locaton", "did you mean 'digits-location'"),
        ("weather", r"one of digits, .*digits-count, got 'weather'$"),
    ],
)
def test_unknown_task_names_the_nearest(asked: str, said: str) -> None:
    """A slip of the pen is answered with the right name, if one is near."""
    with pytest.raises(TaskError, match=said):
        load_task(asked)
