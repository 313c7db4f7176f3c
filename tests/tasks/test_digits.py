import hashlib
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch

from placement_search.errors import TaskError
from placement_search.input_format import AudioFormat, ImageFormat, InputFormat, TextFormat
from placement_search.tasks import digits
from placement_search.tasks.canvas import Placement, drawn
from placement_search.tasks.digits import DigitImages, load_digit_splits
from placement_search.tasks.loading import TASKS, load_task
from placement_search.tasks.raw import Canvases, RawTask
from placement_search.tasks.settings import DataSettings
from placement_search.tasks.task import Task

FORM = ImageFormat(None, 16, 16, 1, (0.0,), (1.0,))
"""Takes brightness as it is."""

every_task = pytest.mark.parametrize("name", TASKS)


@pytest.fixture(scope="module")
def tasks() -> dict[str, Task]:
    return {name: load_task(name, FORM) for name in TASKS}


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
    task = load_task(name, FORM)

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
        counts = torch.bincount(examples.labels, minlength=task.n_outputs)
        mean = len(examples) / task.n_outputs

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


@pytest.mark.slow
def test_tasks_ignore_global_random_state(tasks: dict[str, Task]) -> None:
    """What was drawn before from torch's or numpy's global generators changes no data."""
    torch.rand(1)
    np.random.rand(1)  # noqa: NPY002 - the global state is what must not matter

    assert [load_task(name, FORM).fingerprint for name in TASKS] == [
        task.fingerprint for task in tasks.values()
    ]


def pixels_sum(raw: RawTask) -> str:
    """A checksum of all pictures and labels."""
    parts = [
        part
        for split in raw.splits.values()
        for part in (*split.content.keys(), split.targets.tobytes())
    ]
    return hashlib.sha256(b"".join(parts)).hexdigest()


@pytest.mark.slow
def test_pictures_are_the_same_in_every_process() -> None:
    """A study resumed tomorrow finds the same data."""
    program = (
        "import hashlib\n"
        "from placement_search.tasks import digits\n"
        "for make in (digits.digits, digits.digits_count):\n"
        "    parts = [p for s in make().splits.values()\n"
        "             for p in (*s.content.keys(), s.targets.tobytes())]\n"
        "    print(hashlib.sha256(b''.join(parts)).hexdigest())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    there = subprocess.run(
        [sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True
    )

    assert there.stdout.split() == [pixels_sum(digits.digits()), pixels_sum(digits.digits_count())]


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

    for split in task.splits.values():
        assert isinstance(split.content, Canvases)
        assert split.content.pixels.max(axis=(1, 2, 3)).min() > 0.4


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
        ("weather", r"owner/name; got 'weather' \(known: digits, .*digits-rotation\)$"),
    ],
)
def test_unknown_task_names_the_nearest(asked: str, said: str) -> None:
    """A slip of the pen is answered with the right name, if one is near."""
    with pytest.raises(TaskError, match=said):
        load_task(asked, FORM)


def test_pictures_are_normalised_as_the_backbone_wants() -> None:
    """Examples hold what goes into the forward: brightness less the mean, over the deviation."""
    plain = load_task("digits", FORM).train.inputs["pixel_values"]
    form = ImageFormat(None, 16, 16, 1, (0.5,), (0.25,))

    assert torch.equal(load_task("digits", form).train.inputs["pixel_values"], (plain - 0.5) / 0.25)


def test_pictures_take_the_size_and_channels_of_another_backbone() -> None:
    """Every channel shows the same picture, each with its own mean and deviation."""
    form = ImageFormat(None, 24, 32, 3, (0.0, 0.5, 0.0), (1.0, 1.0, 2.0))
    pixels = load_task("digits", form).validation.inputs["pixel_values"]

    assert pixels.shape[1:] == (3, 24, 32)
    assert torch.equal(pixels[:, 0] - 0.5, pixels[:, 1])
    assert torch.equal(pixels[:, 0] / 2, pixels[:, 2])
    assert pixels[:, 0].amin() >= 0 and pixels[:, 0].amax() <= 1


@pytest.mark.parametrize("option", ["config", "text", "text_pair", "image", "label", "target"])
def test_embedded_tasks_have_no_columns(option: str) -> None:
    """An option that would be ignored is refused."""
    asked: dict[str, Any] = {"data": "digits", option: "x"}
    with pytest.raises(TaskError, match=f"leave out --{option.replace('_', '-')}"):
        load_task(DataSettings(**asked), FORM)


def test_embedded_tasks_can_be_made_smaller_and_judged_otherwise() -> None:
    """What asks for no column works on every data set."""
    settings = DataSettings("digits", shots=3, validation_size=50, metric="macro_f1")
    task = load_task(settings, FORM)

    assert torch.bincount(task.train.labels).tolist() == [3] * 10
    assert len(task.validation) == 50
    assert task.metric.name == "macro_f1"


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (TextFormat(None, 10, 10), "the backbone takes texts, but data set 'digits' holds images"),
        (AudioFormat(100), "takes sound"),
    ],
)
def test_pictures_on_a_backbone_of_another_kind_are_refused(form: InputFormat, said: str) -> None:
    """The message says what the backbone takes and what the data holds."""
    with pytest.raises(TaskError, match=said):
        load_task("digits", form)


def test_pictures_have_no_length_in_tokens() -> None:
    """An option that would be ignored is refused."""
    with pytest.raises(TaskError, match="--max-length is for texts"):
        load_task(DataSettings("digits", max_length=8), FORM)
