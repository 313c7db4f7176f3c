"""Deployment of exported layouts: what is measured, written, and refused."""

from pathlib import Path

import pytest

from placement_search.errors import LayoutError, OperationError
from placement_search.export.layout_file import read_layout_file
from placement_search.export.load import verify_layout
from placement_search.operations.deploy import deploy_layout
from placement_search.operations.drop import drop_lowest
from placement_search.operations.trained import OperationSettings
from tests.operations.conftest import Writer

pytestmark = pytest.mark.slow

COPIES = "2>2:adamix(rank=2)+4>6:tiny_attention(gate=true,heads=3,spread=0.3)+20>12:arc(rank=2)"


def test_a_deployed_layout_is_written_and_verified(write: Writer, tmp_path: Path) -> None:
    """Its score is measured, its parameters counted, and its file says what it was made of."""
    folder, out = write(notation=COPIES), tmp_path / "out"
    done = deploy_layout(folder, OperationSettings(out))
    parent, file = (read_layout_file(f / "layout.json") for f in (folder, out))
    verified = verify_layout(out)

    assert file.notation == (
        "2>2:bottleneck(rank=2)+4>6:tiny_attention(gate=true,width=1)+20>12:arc(rank=2)"
    )
    assert verified.is_same
    assert verified.measured_score == file.scores.exported.validation == done.written.score
    assert done.score_before == parent.scores.exported.validation
    assert file.costs.n_adapter_parameters < parent.costs.n_adapter_parameters
    assert file.derived_from is not None
    assert file.derived_from.operation == "deploy"
    assert file.derived_from.parents[0].weights_sha256 == parent.weights_sha256
    assert file.plan == parent.plan


def test_the_change_of_the_logits_is_told_in_units_of_the_files(
    write: Writer, tmp_path: Path
) -> None:
    """It is what both files' check logits say."""
    folder, out = write(notation=COPIES), tmp_path / "out"
    done = deploy_layout(folder, OperationSettings(out))
    before, after = (read_layout_file(f / "layout.json").check.logits for f in (folder, out))
    changes = [
        abs(x - y)
        for xs, ys in zip(before, after, strict=True)
        for x, y in zip(xs, ys, strict=True)
    ]

    assert done.logit_change > 0
    assert done.logit_change == pytest.approx(max(changes), rel=1e-4)
    assert done.largest_logit == pytest.approx(max(abs(x) for xs in before for x in xs))


def test_adamix_alone_changes_no_logit(write: Writer, tmp_path: Path) -> None:
    """Evaluation mode computes with the mean already; the result can be operated on."""
    done = deploy_layout(
        write(notation="2>2:adamix(rank=2)+4>4:adamix(rank=3)"), OperationSettings(tmp_path / "out")
    )
    dropped = drop_lowest(tmp_path / "out", 1, OperationSettings(tmp_path / "less"))

    assert done.logit_change == pytest.approx(0, abs=1e-5)
    assert done.written.score == done.score_before
    assert dropped.written.notation == "4>4:bottleneck(rank=3)"


@pytest.mark.parametrize(
    ("notation", "message"),
    [
        ("2>2:bottleneck(rank=2)+3>3:tiny_attention", "nothing to average in 2>2:bottleneck"),
        (
            "2>2:adamix(kept=0.5,mask=random,rank=2)",
            r"2>2:adamix\(.*\) stays as it is: its mask keeps other entries in each copy",
        ),
    ],
)
def test_a_layout_with_nothing_to_average_is_refused(
    notation: str, message: str, write: Writer, tmp_path: Path
) -> None:
    """With the reason why copies stay, and nothing is written."""
    folder = write(notation=notation)

    with pytest.raises(OperationError, match=message):
        deploy_layout(folder, OperationSettings(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_two_modules_that_become_one_are_refused(write: Writer, tmp_path: Path) -> None:
    """A layout holds one bottleneck between two nodes; nothing is written."""
    folder = write(notation="3>3:adamix(rank=2)+3>3:bottleneck(rank=2)")

    with pytest.raises(LayoutError, match="can't be deployed"):
        deploy_layout(folder, OperationSettings(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_masked_copies_beside_others_stay_and_are_named(write: Writer, tmp_path: Path) -> None:
    """They keep their entries and the reason is given."""
    notation = "2>2:adamix(rank=2)+4>4:tiny_attention(heads=2,kept=0.5,mask=magnitude,width=1)"
    done = deploy_layout(write(notation=notation), OperationSettings(tmp_path / "out"))

    assert [c.target for c in done.undeployed] == [4]
    assert done.written.notation.startswith("2>2:bottleneck(rank=2)+4>4:tiny_attention(heads=2,")
    assert verify_layout(tmp_path / "out").is_same
