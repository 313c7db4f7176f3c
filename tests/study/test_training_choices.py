"""Training settings that a space proposes: a trial has its own, and finals and export keep them."""

from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from placement_search.backbones.settings import ModelSettings
from placement_search.evaluation.plan import TrainingPlan
from placement_search.export.export import export_layout
from placement_search.export.layout_file import LAYOUT_NAME, read_layout_file
from placement_search.layout import parse_layout
from placement_search.modules import MODULE_TYPES
from placement_search.places import Places
from placement_search.space.budget import Budget
from placement_search.space.file import read_space
from placement_search.space.format import ConnectionCount, ModuleChoice, TrainingOptions
from placement_search.space.search_space import SearchSpace, bind_space
from placement_search.space.training import TrainingChoice
from placement_search.study import records
from placement_search.study.baselines import HEAD_ONLY, Baseline
from placement_search.study.coordinator import Coordinator, TrialSetup
from placement_search.study.finalists import Finals, choose_finalists, run_finals
from placement_search.study.progress import Silence
from placement_search.study.references import References
from placement_search.study.search import load_bench, search
from placement_search.study.search_budget import SearchBudget
from placement_search.study.settings import SearchSettings
from placement_search.study.training_choices import stored, training_of
from placement_search.tasks.settings import DataSettings
from tests.study.stub_engine import StubEngine
from tests.study.stub_search import interrupt_at, outcome, run
from tests.tiny_backbones import saved_vit
from tests.tiny_records import finals, study_record, trial
from tests.tiny_spaces import bound

RATES = [0.001, 0.01, 0.1]
CHOICE = TrainingChoice(learning_rate=0.5)


def one_layout() -> SearchSpace:
    """A space of one layout and three learning rates."""
    file = read_space("extended").model_copy(
        update={
            "sources": [3],
            "targets": [5],
            "connections": ConnectionCount(at_least=1, at_most=1),
            "modules": [ModuleChoice(type="bottleneck")],
            "training": TrainingOptions(learning_rate=RATES, weight_decay=0.2),
        }
    )
    return bind_space(file, MODULE_TYPES, n_nodes=9, places=Places(16), budget=Budget())


@pytest.mark.slow
def test_a_layout_is_tried_with_every_setting_once(tmp_path: Path) -> None:
    """What was evaluated already is a layout with its training settings."""
    engine = StubEngine()
    trials = run(tmp_path, engine, 30, searched=one_layout())
    rates = [
        request.plan.learning_rate
        for request in engine.requests
        if [(c.source, c.target) for c in request.layout.connections] == [(3, 5)]
    ]

    assert sorted(rates) == RATES
    assert len({t.user_attrs[records.LAYOUT_ID] for t in trials}) == len(trials)


@pytest.mark.slow
def test_baselines_take_the_settings_nearest_to_the_studys_own(tmp_path: Path) -> None:
    """And what the file fixes for all; the plan's learning rate is 0.01."""
    engine = StubEngine()
    trials = run(tmp_path, engine, 4, searched=one_layout())
    plans = {(r.plan.learning_rate, r.plan.weight_decay) for r in engine.requests}

    assert plans == {(0.01, 0.2)}
    assert trials[0].user_attrs[records.ROLE] == HEAD_ONLY
    assert training_of(trials[0].user_attrs) == TrainingChoice(0.01, 0.2)


@pytest.mark.slow
def test_a_baseline_that_was_tried_with_its_settings_is_not_evaluated_again(
    tmp_path: Path,
) -> None:
    """One that a later proxy map adds may have been proposed, trained as baselines are."""
    trials = run(tmp_path, StubEngine(), 30, searched=one_layout())
    (known,) = {
        t.user_attrs[records.LAYOUT]
        for t in trials
        if t.user_attrs[records.LAYOUT].startswith("3>5:")
        and "+" not in t.user_attrs[records.LAYOUT]
    }
    later = Baseline("later", parse_layout(known, MODULE_TYPES))
    setup = TrialSetup(
        one_layout(), [later], TrainingPlan(epochs=3), seed=0, sampler="tpe", pruner="median",
        concurrency=1,
    )  # fmt: skip
    study = optuna.load_study(study_name="study", storage=f"sqlite:///{tmp_path}/study.db")
    Coordinator(study, setup, StubEngine(), Silence()).run(SearchBudget(40))

    assert "later" not in {t.user_attrs[records.ROLE] for t in study.get_trials()}


def test_a_layout_from_elsewhere_has_its_own_settings(tmp_path: Path) -> None:
    """The other queued ones have those nearest to the study's."""
    engine, layout = StubEngine(), parse_layout("3>5:bottleneck(rank=4)", MODULE_TYPES)
    setup = TrialSetup(
        one_layout(), [Baseline("a", layout), Baseline("start: b", layout)], TrainingPlan(epochs=3),
        seed=0, sampler="tpe", pruner="none", concurrency=1,
        trainings={"start: b": TrainingChoice(RATES[0], 0.2)},
    )  # fmt: skip
    study = optuna.create_study(storage=f"sqlite:///{tmp_path}/study.db")
    for _ in range(2):
        Coordinator(study, setup, engine, Silence()).run(SearchBudget(2))

    assert [r.plan.learning_rate for r in engine.requests] == [0.01, RATES[0]]


@pytest.mark.slow
def test_an_interrupted_trial_keeps_its_settings(tmp_path: Path) -> None:
    """The trials are those of a study that was not interrupted."""
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    whole = run(tmp_path / "whole", StubEngine(), 10, searched=one_layout())
    first, second = StubEngine(at_epoch=interrupt_at(7, 1)), StubEngine()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", first, 10, searched=one_layout())
    parts = run(tmp_path / "parts", second, 10, searched=one_layout())

    assert outcome(parts) == outcome(whole)
    assert second.requests[0] == first.requests[-1]


def test_a_name_says_how_a_trial_is_trained() -> None:
    """Where the space proposes that; in other spaces it is the role or the notation alone."""
    assert trial(0, "1>2:bottleneck", training=CHOICE).name.endswith(" @ learning_rate=0.5")
    assert trial(0, "1>2:bottleneck", role="random 1").name == "random 1"


def test_a_choice_survives_a_trials_attributes() -> None:
    """One that changes nothing leaves none, as in studies of spaces without training settings."""
    assert training_of(stored(CHOICE)) == CHOICE
    assert stored(TrainingChoice()) == {}


def test_a_plan_takes_what_was_chosen_and_keeps_the_rest() -> None:
    """Epochs and batch size are the study's."""
    plan = TrainingPlan(epochs=3).with_choice(CHOICE)

    assert plan == TrainingPlan(epochs=3, learning_rate=0.5)


def test_finals_and_random_layouts_are_trained_as_the_answer_was() -> None:
    """With its settings, and their own seeds."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    chosen = replace(
        trial(0, "1>2:bottleneck", 0.8), training=CHOICE, layout_id=CHOICE.id_with("abc")
    )
    cards = [replace(f, layout_id=chosen.layout_id) for f in finals("1>2:bottleneck", [0.8, 0.7])]
    record, study, engine = study_record([chosen], cards), optuna.create_study(), StubEngine()
    asked = Finals(record.definition, 2)
    run_finals(study, choose_finalists(record, 1), asked, engine, Silence())
    References(study, engine, bound(), Silence()).run(record)

    assert len(engine.requests) > 2
    assert {request.plan.learning_rate for request in engine.requests} == {0.5}
    held = records.read_finals(study.user_attrs)
    assert {final.layout_id for final in held} == {chosen.layout_id}


SPACE = """
schema_version: 1
name: searched
kinds: [parallel]
connections: {exactly: 1}
modules: [{type: bottleneck, rank: 4}]
training: {learning_rate: {low: 0.001, high: 0.1, log: true}}
"""


@pytest.mark.slow
def test_a_whole_search_with_settings_and_budgets_can_be_exported(tmp_path: Path) -> None:
    """The exported layout is trained with its own settings: it gives the score of the finals."""
    (tmp_path / "searched.yaml").write_text(SPACE, encoding="utf-8")
    settings = SearchSettings(
        model=ModelSettings(saved_vit(tmp_path / "model")),
        data=DataSettings("digits", train_size=200, validation_size=100),
        space=str(tmp_path / "searched.yaml"),
        storage=f"sqlite:///{tmp_path}/study.db",
        n_trials=11,
        n_finalists=1,
        n_seeds=2,
        n_random=3,
        max_bytes="20KB",
        max_flops="1.5x",
        max_latency="9x",
        training=TrainingPlan(epochs=1, batch_size=100),
    )
    bench = load_bench(settings.model, settings.data)
    record = search(settings, bench=bench)
    again = search(settings, bench=bench)
    proposed = [t for t in record.trials if not t.is_baseline]
    exported = export_layout(record, bench, tmp_path / "layout", number=proposed[0].number)

    assert again.trials == record.trials
    assert len({t.training.learning_rate for t in proposed}) == len(proposed) > 1
    assert exported.reproduced == exported.recorded
    said = read_layout_file(tmp_path / "layout" / LAYOUT_NAME).training
    assert said is not None
    assert said.learning_rate == proposed[0].training.learning_rate
