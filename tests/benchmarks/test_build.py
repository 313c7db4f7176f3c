import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from benchmarks.journal import append
from benchmarks.placements import build
from benchmarks.placements.build import Builder, names_of, said_of
from benchmarks.placements.errors import TableError
from benchmarks.placements.layout_maps import layout_scores_of
from benchmarks.placements.maps import MAPS, read_maps
from benchmarks.placements.protocol import stages
from benchmarks.placements.table import TABLE, Row, read_rows
from placement_search.backbones.settings import ModelSettings
from placement_search.engine.in_turn import NO_SCORE
from placement_search.tasks.settings import DataSettings


def run(monkeypatch: pytest.MonkeyPatch, *options: str | Path) -> None:
    monkeypatch.setattr(sys, "argv", ["build", *map(str, options)])
    build.main()


def test_rows_name_a_task_by_its_folder() -> None:
    """However the way to it is written; two of one name would be one task."""
    assert names_of(["digits", "/data/trec6/", "hub-owner/subj"]) == ["digits", "trec6", "subj"]
    with pytest.raises(TableError, match="'trec6' twice"):
        names_of(["/one/trec6", "/other/trec6"])


def test_a_user_s_rows_and_maps_stay_out_of_the_shipped_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table without maps of its own, or the other way round, is refused before any work."""
    for option, shipped in (("--table", MAPS), ("--maps", TABLE)):
        with pytest.raises(SystemExit) as left:
            run(monkeypatch, option, tmp_path / "mine.parquet")
        assert left.value.code == 2
        assert str(shipped) in capsys.readouterr().err


def test_data_that_are_not_there_are_a_plain_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, as of `search`."""
    with pytest.raises(SystemExit) as left:
        run(monkeypatch, "--data", "nosuch", "--table", tmp_path / "mine.parquet",
            "--maps", tmp_path / "mine-maps.parquet")  # fmt: skip

    assert left.value.code == 2
    assert "got 'nosuch'" in capsys.readouterr().err


def test_trainings_without_a_score_are_told_of_at_the_end() -> None:
    """They are missing, whatever else was trained; without any, all is there."""
    assert said_of(0, was_all_tried=True) == "all of it is trained"
    assert said_of(0, was_all_tried=False) == "stopped; the same command goes on"
    assert "2 of the trainings gave no score and are missing" in said_of(2, was_all_tried=True)
    assert said_of(2, was_all_tried=False).startswith("stopped; the same command goes on, and 2 of")


@pytest.mark.slow
def test_a_training_without_a_score_is_counted_and_stays_missing(tmp_path: Path) -> None:
    """So the same command tries it again."""
    run_, *_ = next(stages(25))
    data = [DataSettings(data="digits", train_size=60, validation_size=40)]
    builder = Builder(ModelSettings(), data, tmp_path / "no-table.parquet", tmp_path, 1)
    builder._keep("digits", run_, NO_SCORE[0]("the score is no number"))

    assert builder.without_score == 1
    assert builder.missing("digits", [run_]) == [run_]


@pytest.mark.slow
def test_a_build_goes_on_with_its_own_backbone_s_rows(tmp_path: Path) -> None:
    """From rows without a backbone, which are the embedded one's; another one has none of them."""
    runs = next(stages(25))
    for run_ in runs:
        row = Row("digits", run_.layout.notation, run_.layout.id, 0, 4, 0.5, 0.5, 8, 1.0, 1.0)
        line = asdict(row)
        del line["backbone"], line["data"]
        append(tmp_path / "digits.jsonl", line)
    data = [DataSettings(data="digits")]
    table = tmp_path / "no-table.parquet"
    same = Builder(ModelSettings(), data, table, tmp_path, 1)
    other = Builder(ModelSettings(dtype="bfloat16"), data, table, tmp_path, 1)

    assert same.missing("digits", runs) == []
    assert other.missing("digits", runs) == runs


@pytest.mark.slow
def test_a_small_table_of_other_sizes_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside it lie its journals; the same command goes on, and other sizes are refused."""
    table, maps = tmp_path / "mine.parquet", tmp_path / "mine-maps.parquet"
    options = ("--data", "digits", "digits-count", "--validation-size", "40", "--singles",
               "--table", table, "--maps", maps, "--workers", "1", "--seconds", "0")  # fmt: skip
    for _ in range(2):
        run(monkeypatch, *options, "--train-size", "60")
    rows = read_rows(table)

    assert [(row.task, row.replicate, row.epochs) for row in rows] == [("digits", 0, 4)] * 2
    assert set(read_maps(maps)) == {"digits", "digits-count"}
    assert set(layout_scores_of(rows, maps)) == {"digits"}
    assert (tmp_path / "mine-journals" / "digits.jsonl").is_file()
    with pytest.raises(SystemExit):
        run(monkeypatch, *options, "--train-size", "70")
