"""What an export writes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from safetensors.torch import load_file

from placement_search.errors import ExportError, StudyError
from placement_search.evaluation.workbench import Workbench
from placement_search.export.export import _max_tokens, choose_trial, export_layout
from placement_search.export.layout_file import json_schema, layout_json, read_layout_file
from placement_search.modules import parse_layout
from placement_search.study.answer import find_answer
from placement_search.study.lora_baseline import LORA
from placement_search.study.records import StudyRecord, TrialEnd
from tests.tiny_task import tiny_bench, tiny_task, tiny_text_task

pytestmark = pytest.mark.slow

SCHEMA = Path("placement_search/export/layout.schema.json")


def test_the_shipped_schema_is_the_generated_one() -> None:
    """`python -m placement_search.export.layout_file` gives the file that ships."""
    assert json.loads(SCHEMA.read_text()) == json_schema()


def test_a_layout_file_obeys_its_schema(exported: Path) -> None:
    """The file validates, its keys are sorted, and reading and writing it gives the same bytes."""
    text = (exported / "layout.json").read_text()
    data = json.loads(text)

    Draft202012Validator(json_schema()).validate(data)
    assert json.dumps(data, indent=2, sort_keys=True) + "\n" == text
    assert layout_json(read_layout_file(exported / "layout.json")) == text


def test_the_answer_is_what_is_exported(record: StudyRecord, exported: Path) -> None:
    """Notation, scores over the finals' seeds and provenance are those of the study's answer."""
    answer = find_answer(record)
    file = read_layout_file(exported / "layout.json")

    assert answer is not None
    assert file.notation == answer.chosen.trial.layout
    assert [entry.test for entry in file.scores.finals] == list(answer.chosen.tests.values())
    assert file.provenance.trial == answer.chosen.trial.number
    assert file.provenance.command == record.command


def test_training_again_gives_the_recorded_score(
    record: StudyRecord, bench: Workbench, tmp_path: Path
) -> None:
    """The exported weights are those that the study scored, of a baseline as well."""
    exported = export_layout(record, bench, tmp_path / "new folder", number=3)

    assert exported.reproduced == exported.recorded
    assert exported.trial.number == 3


def test_exporting_twice_gives_the_same_bytes(
    record: StudyRecord, bench: Workbench, exported: Path, tmp_path: Path
) -> None:
    """Both files depend on the study alone."""
    export_layout(record, bench, tmp_path)

    for name in ("layout.json", "layout.safetensors"):
        assert (tmp_path / name).read_bytes() == (exported / name).read_bytes()


def test_weights_are_named_after_the_connections(exported: Path) -> None:
    """Every tensor belongs to a connection of the file or to the head."""
    file = read_layout_file(exported / "layout.json")
    owners = {name.rsplit(".", 2)[0] for name in load_file(exported / "layout.safetensors")}

    prefixes = {entry.id for entry in file.connections} | {"head.weight", "head.bias"}
    assert all(
        any(owner.startswith(p) or p.startswith(owner) for p in prefixes) for owner in owners
    )
    assert file.layout() == parse_layout(file.notation)


def test_unfinished_and_unknown_trials_are_refused(record: StudyRecord) -> None:
    """A number that the study does not have is an error that says which ones it has."""
    with pytest.raises(StudyError, match=r"trials 0 to 11, got 99"):
        choose_trial(record, 99)
    waiting = replace(record.trials[0], card=None, end=TrialEnd.WAITING)
    with pytest.raises(ExportError, match=r"trial 0 is waiting, .*; placement-search trials lists"):
        choose_trial(replace(record, trials=(waiting,)), 0)


def test_another_backbone_or_data_set_is_refused(record: StudyRecord, tmp_path: Path) -> None:
    """Weights trained on something else would carry the study's name; nothing is written."""
    with pytest.raises(ExportError, match="backbone has changed"):
        export_layout(record, tiny_bench(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_files_of_earlier_versions_are_read(exported: Path, tmp_path: Path) -> None:
    """They do not say how the layout was trained."""
    data = json.loads((exported / "layout.json").read_text())
    assert data.pop("training") is None
    (tmp_path / "layout.json").write_text(json.dumps(data))

    assert read_layout_file(tmp_path / "layout.json").training is None


def test_the_lora_baseline_goes_to_peft_as_well(
    record: StudyRecord, bench: Workbench, tmp_path: Path
) -> None:
    """Its two files lie where they always do, those for PEFT in a folder of their own."""
    number = next(trial.number for trial in record.trials if trial.role == LORA)
    exported = export_layout(record, bench, tmp_path / "ours", number=number, peft=tmp_path / "p")

    assert [path.name for path in exported.paths] == [
        "layout.json", "layout.safetensors", "adapter_config.json", "adapter_model.safetensors",
        "head.safetensors",
    ]  # fmt: skip
    assert all(path.is_file() for path in exported.paths)


def test_other_layouts_are_not_trained_for_peft(
    record: StudyRecord, bench: Workbench, tmp_path: Path
) -> None:
    """The reason is told at once, and nothing is written."""
    with pytest.raises(ExportError, match="PEFT can't express 0>1:bottleneck"):
        export_layout(record, bench, tmp_path / "ours", number=1, peft=tmp_path / "peft")
    assert list(tmp_path.iterdir()) == []


def test_a_layout_file_says_where_texts_were_cut() -> None:
    """With longer ones a tokenizer would give other logits than those that were scored."""
    assert _max_tokens(tiny_text_task()) == tiny_text_task().train.inputs["input_ids"].shape[1]
    assert _max_tokens(tiny_task()) is None
