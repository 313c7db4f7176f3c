"""A user's own model and data on the command line: mistakes told at once, and a whole search."""

import json
import shutil
import statistics
from pathlib import Path

import pytest
from transformers import BertConfig, BertModel
from typer.testing import CliRunner, Result

from placement_search.backbones.loading import EMBEDDED_FOLDER
from placement_search.cli.main import app
from tests.tasks.tiny_data import WORDS, tiny_tokenizer

GOOD, BAD = "a very good film", "a bad film"


def invoke(*arguments: str) -> Result:
    """Run the command line in this process; exceptions that escape it are failures."""
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder, so that anything written is seen; ask no hub."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def csv(path: str, rows: list[tuple[str, str]]) -> None:
    """A file of texts and labels."""
    lines = ["text,label", *(f"{text},{label}" for text, label in rows)]
    Path(path).parent.mkdir(exist_ok=True)
    Path(path).write_text("\n".join(lines) + "\n")


@pytest.fixture
def reviews() -> str:
    """A CSV file of 40 short reviews, each of its own words."""
    rows = [(f"{GOOD if i % 2 else BAD} {i}", "pos" if i % 2 else "neg") for i in range(40)]
    csv("data/reviews.csv", rows)
    return "data/reviews.csv"


@pytest.fixture
def model(tmp_path: Path) -> str:
    """A folder with a tiny BERT and its tokenizer, as `save_pretrained` leaves them."""
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=16, initializer_range=0.2,
    )  # fmt: skip
    BertModel(config, add_pooling_layer=False).save_pretrained(tmp_path / "model")
    tiny_tokenizer(tmp_path / "model")
    return "model"


def told(result: Result, before: set[Path]) -> str:
    """The one message of a refused command that has written nothing."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert set(Path().rglob("*")) == before
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    return result.stderr


def test_a_path_that_is_not_there() -> None:
    """Data and model: what each option takes."""
    for arguments in (["--data", "reviews.csv"], ["--model", "models/mine"]):
        message = told(invoke("search", *arguments), set())

        assert arguments[1] in message


def test_a_column_that_is_not_there(reviews: str) -> None:
    """The columns that are, and the nearest."""
    before = set(Path().rglob("*"))
    message = told(invoke("search", "--data", reviews, "--label", "lable"), before)

    assert "did you mean 'label'" in message
    assert "text" in message


def test_a_model_without_safetensors(reviews: str, model: str) -> None:
    """What is there, and both cures."""
    Path(model, "model.safetensors").rename(Path(model, "pytorch_model.bin"))
    before = set(Path().rglob("*"))
    message = told(invoke("search", "--data", reviews, "--model", model), before)

    assert "pytorch_model.bin" in message
    assert "--allow-pickle" in message


def test_an_unknown_architecture(reviews: str, model: str) -> None:
    """The model type, and how to describe it."""
    Path(model, "config.json").write_text(json.dumps({"model_type": "mamba", "hidden_size": 8}))
    before = set(Path().rglob("*"))
    message = told(invoke("search", "--data", reviews, "--model", model), before)

    assert "'mamba'" in message
    assert "--family" in message


def test_labels_that_do_not_match() -> None:
    """A label of the validation split that no training example has, with its row."""
    csv("data/train.csv", [(f"{GOOD} {i}", "pos" if i % 2 else "neg") for i in range(20)])
    csv("data/validation.csv", [("a film", "pos"), ("so so", "mixed"), (BAD, "neg")])
    csv("data/test.csv", [("film", "pos"), ("no film", "neg")])
    before = set(Path().rglob("*"))
    message = told(invoke("search", "--data", "data"), before)

    assert "'mixed'" in message
    assert "validation" in message and "row 1" in message


def test_texts_on_an_image_model(reviews: str) -> None:
    """What the backbone takes and what the data hold."""
    message = told(invoke("search", "--data", reviews), {Path("data"), Path(reviews)})

    assert "takes images" in message
    assert "texts" in message


def test_a_layout_on_a_pooling_that_the_model_lacks(reviews: str, model: str) -> None:
    """The ones that it has."""
    before = set(Path().rglob("*"))
    arguments = ["search", "--data", reviews, "--model", model, "--pooling", "last"]

    assert "one of auto, cls, mean" in told(invoke(*arguments), before)


def test_data_are_shown_as_they_would_be_read(reviews: str) -> None:
    """Columns, splits and classes, before any model is loaded."""
    result = invoke("data", "--data", reviews)

    assert result.exit_code == 0
    assert "'text' (guessed)" in result.stdout
    assert "classes: 2" in result.stdout


@pytest.mark.slow
def test_a_search_on_own_texts_and_model(reviews: str, model: str) -> None:
    """From a CSV file and a folder to a verified layout; what was moved is found again."""
    arguments = [
        "search", "--data", reviews, "--model", model, "--n-trials", "12", "--n-random", "3",
        "--finalists", "1", "--seeds", "2", "--epochs", "2", "--full-fine-tuning", "--out", "out",
    ]  # fmt: skip
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    report = json.loads(Path("out/report/report.json").read_text())
    shutil.move(model, "moved")
    verified = invoke("verify", "out/layout", "--model", "moved", "--format", "json")

    shutil.move(reviews, "data/moved.csv")
    names = {"model": "moved", "data": "data/moved.csv"}
    again = [names.get(arguments[i - 1][2:], a) for i, a in enumerate(arguments)]
    continued = invoke(*again, "--study-name", "reviews-extended", "--seed", "0")
    command = json.loads(invoke("status", "--format", "json").stdout)["command"]

    assert continued.exit_code == 0, continued.output
    assert "--model moved --data data/moved.csv" in command
    assert report["study"] == "reviews-extended"
    assert any("guessed" in note for note in report["notes"])
    assert report["pooling"]["pooling"] in {"cls", "mean"}
    assert "full fine-tuning" in {c["name"] for c in report["answer"]["comparisons"]}
    assert "--full-fine-tuning" in report["command"]
    assert verified.exit_code == 0
    assert json.loads(verified.stdout)["is_same"]
    assert json.loads(verified.stdout)["measured_score"] is not None


@pytest.mark.slow
def test_a_search_for_a_number_with_an_error_as_score(model: str) -> None:
    """The whole way where lower is better, and verification in the target's own units."""
    rows = [(f"{'very ' * (i % 4)}good film {i}", f"{100 + 10.5 * (i % 4)}") for i in range(60)]
    csv("data/stars.csv", rows)
    arguments = [
        "search", "--data", "data/stars.csv", "--model", model, "--metric", "rmse", "--n-trials",
        "12", "--n-random", "3", "--finalists", "1", "--seeds", "2", "--epochs", "2", "--out", "o",
    ]  # fmt: skip
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    report = json.loads(Path("o/report/report.json").read_text())
    ranked = [trial["card"]["score"] for trial in report["trials"] if trial["rank"]]
    verified = json.loads(invoke("verify", "o/layout", "--format", "json").stdout)
    logits = json.loads(Path("o/layout/layout.json").read_text())["check"]["logits"]

    assert ranked == sorted(ranked)
    assert verified["measured_score"] == pytest.approx(verified["recorded_score"], rel=1e-5)
    # Made-up texts may fall anywhere, but standardised numbers would lie around zero.
    assert statistics.median(abs(logit) for (logit,) in logits) > 20


@pytest.mark.slow
def test_a_copy_of_a_known_model_is_the_same_backbone(tmp_path: Path) -> None:
    """A local folder is told apart by its content alone."""
    shutil.copytree(EMBEDDED_FOLDER, tmp_path / "copy")
    ours, copied = (
        json.loads(invoke("inspect", name, "--format", "json").stdout) for name in
        ("embedded", "copy")
    )  # fmt: skip

    assert ours["fingerprint"] == copied["fingerprint"]
