import json
import platform
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import pytest

from placement_search.errors import StudyError
from placement_search.space.training import TrainingChoice
from placement_search.study.definition import RECORDED_PACKAGES, StudyDefinition, package_versions
from placement_search.study.starts import StartLayout
from tests.tiny_records import DEFINITION

START = StartLayout("3>9:bottleneck(rank=4)", "digits", "first", "abc", "accuracy", 0.9, 3)
STARTED = replace(
    DEFINITION, start_from={"start: digits": START}, start_files=("runs/layout.json",)
)
CHANGES: Mapping[str, Mapping[str, Any]] = {
    "data.shots": {"data": replace(DEFINITION.data, shots=16)},
    "model.dtype": {"model": replace(DEFINITION.model, dtype="bfloat16")},
    "family.blocks": {"family": {"blocks": "layers"}},
    "device": {"device": "cuda"},
    "target": {"target": "regression"},
    "is_higher_better": {"is_higher_better": False},
    "space.connections.at_most": {
        "space": {**DEFINITION.space, "connections": {"at_least": 1, "at_most": 4}}
    },
    "space.kinds": {"space": {**DEFINITION.space, "kinds": ["parallel", "recurrent"]}},
    "sampler": {"sampler": "random"},
    "pruner": {"pruner": "none"},
    "seed": {"seed": 1},
    "max_params": {"max_params": "1%"},
    "max_bytes": {"max_bytes": "20KB"},
    "max_flops": {"max_flops": "1.1x"},
    "max_latency": {"max_latency": "1.2x"},
    "n_random": {"n_random": 3},
    "training.epochs": {"training": replace(DEFINITION.training, epochs=9)},
    "training.learning_rate": {"training": replace(DEFINITION.training, learning_rate=0.5)},
    "backbone.fingerprint": {"backbone": replace(DEFINITION.backbone, fingerprint="0123")},
    "backbone.width": {"backbone": replace(DEFINITION.backbone, width=32)},
    "data_fingerprint": {"data_fingerprint": "0123"},
    "metric": {"metric": "macro F1"},
    "concurrency": {"concurrency": 4},
    "fidelity": {"fidelity": "data"},
    "replicates": {"replicates": 5},
    "cost": {"cost": "flops"},
    "has_proxy_map": {"has_proxy_map": False},
    "gammas": {"gammas": (0.3,)},
}
"""One changed fact each, by the key that a user should read."""


def differences(other: StudyDefinition) -> dict[str, str]:
    """The lines of the refusal, by key."""
    with pytest.raises(StudyError) as raised:
        DEFINITION.check_same(other, "tiny")
    lines = str(raised.value).splitlines()

    assert "'tiny'" in lines[0]
    assert "--study-name" in lines[-1]
    return dict(line.strip().split(": ", 1) for line in lines[1:-1])


def test_a_definition_survives_json() -> None:
    """It is stored as JSON, and read back as the same."""
    text = json.dumps(DEFINITION.as_json(), allow_nan=False)

    assert StudyDefinition.from_json(json.loads(text)) == DEFINITION


def test_a_definition_of_another_version_is_refused() -> None:
    """The error names what differs, and is no traceback."""
    stored = DEFINITION.as_json()
    del stored["family"]

    with pytest.raises(StudyError, match=r"another version.*\(family\)"):
        StudyDefinition.from_json(stored)


def test_a_study_of_an_earlier_version_had_one_trial_at_a_time() -> None:
    """It is read, and goes on with what it was made with."""
    stored = DEFINITION.as_json()
    del stored["concurrency"]
    read = StudyDefinition.from_json(stored)

    assert read.concurrency == 1
    assert differences(replace(DEFINITION, concurrency=4)) == {
        "concurrency": "1 in the study, 4 asked"
    }


def test_a_study_of_an_earlier_version_has_the_papers_discount_and_none() -> None:
    """There was nothing else, so it goes on unless another one is asked for."""
    stored = DEFINITION.as_json()
    del stored["gammas"]

    assert StudyDefinition.from_json(stored) == DEFINITION
    assert differences(replace(DEFINITION, gammas=(0.9, 0.0))) == {
        "gammas": "[0.6, 0.0] in the study, [0.9, 0.0] asked"
    }


@pytest.mark.parametrize(
    ("setting", "now", "difference"),
    [
        ("consistency", 1.0, "0.0 in the study, 1.0 asked"),
        ("drop_lowest", 2, "0 in the study, 2 asked"),
    ],
)
def test_a_study_of_an_earlier_version_trains_without_later_settings(
    setting: str, now: float, difference: str
) -> None:
    """It is read, and goes on as long as none of them is asked for now."""
    stored = DEFINITION.as_json()
    del stored["training"][setting]
    read = StudyDefinition.from_json(stored)
    stored["training"][setting] = now
    asked = StudyDefinition.from_json(stored)

    assert read == DEFINITION
    assert differences(asked) == {f"training.{setting}": difference}


def test_the_same_settings_continue_a_study() -> None:
    """Also when read from its storage."""
    DEFINITION.check_same(StudyDefinition.from_json(DEFINITION.as_json()), "tiny")


@pytest.mark.parametrize("key", CHANGES)
def test_a_changed_fact_is_refused_and_shown(key: str) -> None:
    """By its key, with the study's own value and the one asked for, and nothing else."""
    other = replace(DEFINITION, **CHANGES[key])
    shown = differences(other)

    assert shown.keys() == {key}
    assert " in the study, " in shown[key]
    assert shown[key].endswith(" asked")


def test_both_values_are_shown() -> None:
    """First what the study has, then what was asked for."""
    assert differences(replace(DEFINITION, seed=7)) == {"seed": "0 in the study, 7 asked"}


def test_all_differences_are_shown_at_once() -> None:
    """One error, so that one command line mends them all."""
    changed = {name: value for change in CHANGES.values() for name, value in change.items()}
    whole = replace(
        DEFINITION,
        **changed
        | {
            "training": replace(DEFINITION.training, epochs=9, learning_rate=0.5),
            "backbone": replace(DEFINITION.backbone, width=32, fingerprint="0123"),
            "space": {
                **DEFINITION.space,
                "kinds": ["recurrent"],
                "connections": {"at_least": 1, "at_most": 4},
            },
        },
    )

    assert differences(whole).keys() == CHANGES.keys()


def test_a_key_that_only_one_side_has_is_shown() -> None:
    """A space file may have grown or lost an entry."""
    grown = replace(DEFINITION, space={**DEFINITION.space, "targets": "all"})

    assert differences(grown) == {"space.targets": "absent in the study, all asked"}


def test_paths_may_change() -> None:
    """A folder that was moved holds the same model and the same space; contents are compared."""
    moved = replace(
        DEFINITION,
        model=replace(DEFINITION.model, model="/elsewhere/model", device="cpu"),
        data=replace(DEFINITION.data, data="/elsewhere/data"),
        space_file="/elsewhere/space.yaml",
        backbone=replace(DEFINITION.backbone, id="/elsewhere/model"),
    )

    DEFINITION.check_same(moved, "tiny")


def test_every_field_is_compared_or_is_a_path_or_is_kept() -> None:
    """A new choice cannot be forgotten here: the changes above cover all of them."""
    changed = {key.split(".", maxsplit=1)[0] for key in CHANGES}
    others = {"space_file", "start_files", "start_from", "baseline_set", "is_paired"}

    assert changed | others == {field.name for field in fields(StudyDefinition)}


def test_a_study_of_an_earlier_version_keeps_its_baselines_and_its_unpaired_finals() -> None:
    """It is continued by a version whose new studies have others, and stays what it was."""
    stored = DEFINITION.as_json()
    for name in ("baseline_set", "is_paired", "start_from", "start_files"):
        del stored[name]
    held = StudyDefinition.from_json(stored)
    asked = replace(DEFINITION, baseline_set=2, is_paired=True)
    kept = asked.kept(held)

    held.check_same(kept, "tiny")
    assert (kept.baseline_set, kept.is_paired) == (1, False)


def test_a_study_of_an_earlier_version_keeps_how_it_trains_what_it_starts_from() -> None:
    """Its files said nothing of training when it was made, and say it now."""
    told = replace(STARTED, baseline_set=5)
    told = replace(
        told, start_from={"start: digits": replace(START, training=TrainingChoice(0.003))}
    )
    held = replace(STARTED, baseline_set=4)
    kept = told.kept(held)

    held.check_same(kept, "tiny")
    assert kept.start_from == {"start: digits": START}
    assert told.kept(replace(held, baseline_set=5)).start_from == told.start_from


def test_layouts_to_start_from_are_compared_by_content() -> None:
    """Not by where their files lie."""
    moved = replace(STARTED, start_files=("elsewhere/layout.json",))

    STARTED.check_same(moved, "tiny")
    with pytest.raises(StudyError, match=r"start: digits.layout: 3>9:.* study, absent asked"):
        STARTED.check_same(DEFINITION, "tiny")
    assert StudyDefinition.from_json(json.loads(json.dumps(STARTED.as_json()))) == STARTED


def test_versions_of_all_that_numbers_depend_on_are_recorded() -> None:
    """Python, the platform and the packages, none of them empty."""
    versions = package_versions()

    assert versions.keys() == {"python", "platform", *RECORDED_PACKAGES}
    assert versions["python"] == platform.python_version()
    assert all(versions.values())


def test_the_budget_and_the_spaces_training_in_words() -> None:
    """As they were given; nothing where there is nothing."""
    said = replace(
        DEFINITION,
        max_params="1%",
        max_flops="1.1x",
        space=DEFINITION.space | {"training": {"learning_rate": [0.1, 0.2], "weight_decay": None}},
    )

    assert said.budget == "parameters: 1%, operations: 1.1x"
    assert said.space_training == "learning_rate: [0.1, 0.2]"
    assert replace(DEFINITION, max_params=None).budget == ""
    assert DEFINITION.space_training == ""
