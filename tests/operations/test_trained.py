"""What operations share: a regression's units, plans of files, checks before anything is loaded."""

import math
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from placement_search.adapted.model import AdaptedBackbone
from placement_search.errors import EvaluationError, ExportError, OperationError, OutputError
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.workbench import Workbench
from placement_search.export.layout_file import LayoutFile
from placement_search.export.units import to_original_units, to_training_units
from placement_search.layout import Layout
from placement_search.operations.drop import drop_lowest
from placement_search.operations.trained import OperationSettings, load_trained, plan_of, train_on
from placement_search.tasks.metrics import METRICS
from placement_search.tasks.target import Target
from placement_search.tasks.task import Examples, Task
from tests.operations.conftest import PLAN, Writer, as_trained, described
from tests.tiny_backbones import tiny_vit
from tests.tiny_task import tiny_bench, tiny_task

OUT = Path("out")


@pytest.fixture(scope="module")
def file(bench: Workbench) -> LayoutFile:
    return described(bench, as_trained(bench, "2>2:bottleneck(rank=2)", 0), "0")


def numbers() -> Task:
    """The tiny task's images with numbers around 5 to predict, which vary by 2."""
    task = tiny_task()
    train, validation, test = (
        Examples(each.inputs, each.labels.float() - 1.5)
        for each in (task.train, task.validation, task.test)
    )
    return Task(
        name="numbers",
        target=Target.REGRESSION,
        label_names=("number",),
        metric=METRICS["rmse"],
        train=train,
        validation=validation,
        test=test,
        scale=(5.0, 2.0),
    )


def test_a_head_goes_to_original_units_and_back() -> None:
    """Exported heads of regressions give the numbers themselves; training takes them scaled."""
    model = AdaptedBackbone(tiny_vit(), Layout(), n_outputs=1)
    torch.nn.init.normal_(model.head.weight, generator=torch.Generator().manual_seed(0))
    inputs = model.backbone.made_up_inputs(4, 0)
    scaled = model(inputs)
    to_original_units(model, numbers())

    torch.testing.assert_close(model(inputs), 5 + 2 * scaled)
    to_training_units(model, numbers())
    torch.testing.assert_close(model(inputs), scaled)


def test_heads_of_classes_have_no_units() -> None:
    """Neither way changes a bit."""
    model = as_trained(tiny_bench(), "1>1:bottleneck(rank=2)", 0)
    before = model.head.weight.clone()
    to_original_units(model, tiny_task())
    to_training_units(model, tiny_task())

    assert torch.equal(model.head.weight, before)


@pytest.mark.slow
def test_a_layout_is_trained_on_as_it_was_trained(file: LayoutFile) -> None:
    """But for the epochs and the rate that are said."""
    assert plan_of(file, OperationSettings(OUT, epochs=None)) == PLAN
    assert plan_of(file, OperationSettings(OUT, epochs=3, learning_rate=0.5)) == replace(
        PLAN, epochs=3, learning_rate=0.5
    )


@pytest.mark.slow
def test_files_of_earlier_versions_leave_the_defaults(file: LayoutFile) -> None:
    """They say nothing of the training."""
    older = file.model_copy(update={"plan": None})

    assert plan_of(older, OperationSettings(OUT, epochs=None)) == TrainingPlan()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("patience", 3, "patience"),
        ("epochs", 1.5, "plan of the layout file: epochs"),
        ("batch_size", 32.0, "batch_size"),
        ("learning_rate", "fast", "learning_rate"),
        ("warm_up", 2, "warm_up must lie within"),
    ],
)
def test_a_plan_that_is_not_known_is_refused(
    name: str, value: float | str, said: str, file: LayoutFile
) -> None:
    """Of a later version, of another type, or out of range."""
    later = file.model_copy(update={"plan": asdict(PLAN) | {name: value}})

    with pytest.raises(ExportError, match=said):
        plan_of(later, OperationSettings(OUT, epochs=None))


def test_a_rate_that_is_said_is_checked(file: LayoutFile) -> None:
    """As one of a search."""
    with pytest.raises(EvaluationError, match="learning_rate must be above 0"):
        plan_of(file, OperationSettings(OUT, epochs=1, learning_rate=0.0))


@pytest.mark.parametrize("epochs", [None, 0, 1])
@pytest.mark.parametrize("rate", [0.0, -0.1, math.nan, math.inf])
def test_a_rate_out_of_range_is_refused(rate: float, epochs: int | None, tmp_path: Path) -> None:
    """Whether or not it would be used, before a file is read."""
    asked = OperationSettings(tmp_path / "out", epochs=epochs, learning_rate=rate)

    with pytest.raises(OperationError, match=f"--learning-rate must be above 0.*, got {rate}"):
        load_trained(tmp_path / "nowhere", asked)


@pytest.mark.slow
def test_only_what_was_made_of_the_same_weights_is_replaced(write: Writer, tmp_path: Path) -> None:
    """A study's own layout, another one's child and an unknown file stay; its own child goes."""
    mine, out = write(), tmp_path / "out"
    theirs = write("theirs", seed=2)
    asked = OperationSettings(out)
    drop_lowest(mine, 1, asked)
    drop_lowest(mine, 1, asked)

    with pytest.raises(OutputError, match=r"out' holds a layout that was not made of these.*--out"):
        load_trained(theirs, asked)
    with pytest.raises(OutputError, match=r"theirs' holds a layout that was not made of these"):
        load_trained(mine, OperationSettings(theirs))
    (out / "layout.json").write_text("{}")
    with pytest.raises(OutputError, match=r"out' holds a layout that can't be read"):
        load_trained(mine, asked)


@pytest.mark.slow
def test_a_rate_that_would_not_be_used_is_refused(write: Writer, tmp_path: Path) -> None:
    """The cure is said; with epochs, or those of the old layout, it is used."""
    folder, out = write(), tmp_path / "out"

    with pytest.raises(OperationError, match=r"so 0\.5 would not be used: .*--retrain"):
        load_trained(folder, OperationSettings(out, epochs=0, learning_rate=0.5))
    for epochs in (None, 3):
        trained = load_trained(folder, OperationSettings(out, epochs=epochs, learning_rate=0.5))
        assert trained.plan is not None and trained.plan.learning_rate == 0.5


def test_connections_have_the_ids_of_their_weights(bench: Workbench) -> None:
    """Whoever reads weights by them would get another module's."""
    two = described(
        bench, as_trained(bench, "2>2:bottleneck(rank=2)+4>4:bottleneck(rank=2)", 0), ""
    )
    first, second = two.connections
    swapped = [
        first.model_copy(update={"id": second.id}),
        second.model_copy(update={"id": first.id}),
    ]

    with pytest.raises(ExportError, match="must stand in order, as connection"):
        two.model_copy(update={"connections": swapped}).layout()


def test_another_seed_draws_other_routes(bench: Workbench) -> None:
    """And drops other targets, as a training from the beginning would."""
    model = as_trained(bench, "2>2:adamix(rank=2)", 0)
    ((_, module),) = model.wired
    inputs = bench.backbone.made_up_inputs(2, 0)

    def drawn(seed: int) -> list[float]:
        model.train().reseed(seed)
        return [float(model(inputs).detach().abs().sum()) for _ in range(8)]

    assert module.is_random
    assert drawn(1) == drawn(1) != drawn(2)


def test_training_on_starts_from_the_weights_that_are_there() -> None:
    """At a rate of nearly zero they stay what they were, and its score is the one measured then."""
    bench = tiny_bench()
    model = as_trained(bench, "1>4:bottleneck(rank=2)", 0)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    told: list[str] = []
    plan = TrainingPlan(epochs=2, batch_size=16, learning_rate=1e-12)
    train_on(bench, model, plan, 0, told.append)

    assert len(told) == 2
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.detach(), before[name])
