"""Studies made by hand, as small as a test of what is concluded from them allows."""

from collections.abc import Sequence

from placement_search.backbones.facts import BackboneFacts
from placement_search.backbones.settings import ModelSettings
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.score_card import Costs, ScoreCard
from placement_search.modules import count_parameters, parse_layout
from placement_search.places import Places
from placement_search.space.training import NO_CHOICE, TrainingChoice
from placement_search.study.command import Goal
from placement_search.study.definition import StudyDefinition
from placement_search.study.records import (
    SEARCHED,
    FinalRecord,
    ProxyMap,
    StudyRecord,
    TrialEnd,
    TrialRecord,
)
from placement_search.tasks.settings import DataSettings

WIDTH = 64

DEFINITION = StudyDefinition(
    model=ModelSettings(),
    data=DataSettings("digits-location"),
    space_file="extended",
    space={"name": "extended", "connections": {"at_least": 1, "at_most": 6}, "kinds": ["parallel"]},
    sampler="tpe",
    pruner="median",
    seed=0,
    max_params=None,
    n_random=2,
    training=TrainingPlan(epochs=2),
    backbone=BackboneFacts(
        "embedded",
        "ViTModel",
        "vit",
        12,
        WIDTH,
        602_176,
        "fdbb689264",
        revision=None,
        dtype="float32",
        n_nodes=2 * 12 + 1,
        sublayers=2,
    ),
    data_fingerprint="e9ea2202df",
    family={},
    device="cpu",
    target="single-label",
    metric="accuracy",
    is_higher_better=True,
)


def score_card(
    notation: str, score: float, test_score: float | None = None, latency: float | None = None
) -> ScoreCard:
    """The outcome of one evaluation of a layout."""
    n_parameters = count_parameters(parse_layout(notation), Places(WIDTH))
    costs = Costs(n_parameters, 650, 4 * n_parameters, 20_000_000, 1.1, latency)
    return ScoreCard(score, (score,), test_score, 1, 10, 0.5, costs)


def trial(
    number: int,
    notation: str,
    score: float | None = 0.5,
    *,
    role: str = SEARCHED,
    is_eligible: bool = True,
    training: TrainingChoice = NO_CHOICE,
) -> TrialRecord:
    """A complete trial; one without a score is pruned."""
    layout = parse_layout(notation)
    return TrialRecord(
        number=number,
        role=role,
        layout=layout.notation,
        layout_id=training.id_with(layout.id),
        n_adapter_parameters=count_parameters(layout, Places(WIDTH)),
        is_eligible=is_eligible,
        end=TrialEnd.PRUNED if score is None else TrialEnd.COMPLETE,
        reason="",
        history=(),
        card=None if score is None else score_card(notation, score),
        seconds=0.5,
        started=None,
        training=training,
    )


def finals(
    notation: str,
    validation: Sequence[float],
    test: Sequence[float] | None = None,
    training: TrainingChoice = NO_CHOICE,
) -> list[FinalRecord]:
    """Retrainings of a layout, one per score; without test scores of their own these are equal."""
    layout_id = training.id_with(parse_layout(notation).id)
    return [
        FinalRecord(layout_id, replicate, score_card(notation, score, tested))
        for replicate, (score, tested) in enumerate(
            zip(validation, test or validation, strict=True), start=1
        )
    ]


def study_record(
    trials: Sequence[TrialRecord],
    finals: Sequence[FinalRecord] = (),
    proxy_map: ProxyMap | None = None,
) -> StudyRecord:
    """A study of these trials."""
    return StudyRecord(
        name="tiny",
        storage="sqlite:///tiny.db",
        definition=DEFINITION,
        goal=Goal(n_trials=len(trials), n_finalists=1, n_seeds=3),
        provenance={},
        trials=tuple(trials),
        finals=tuple(finals),
        references=(),
        proxy_map=proxy_map,
        pooling=None,
        notes=(),
    )
