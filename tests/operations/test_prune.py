"""Pear: prune, share, train on."""

from pathlib import Path

import pytest

from placement_search.errors import OperationError, SpaceError
from placement_search.export.layout_file import read_layout_file
from placement_search.export.load import verify_layout
from placement_search.operations.prune import PruneSettings, prune_layout
from placement_search.operations.trained import OperationSettings
from tests.operations.conftest import Writer

pytestmark = pytest.mark.slow

# 2·64·2 + 2 + 64 + 2·64 parameters each, of four.
PRICE = 450


@pytest.mark.parametrize(("is_shared", "n_places"), [(True, 4), (False, 2)])
def test_a_pruned_layout_keeps_its_budget(
    is_shared: bool, n_places: int, write: Writer, tmp_path: Path
) -> None:
    """With sharing every place stays, without it the kept ones; `verify` accepts both."""
    out = tmp_path / "out"
    settings = PruneSettings(str(2 * PRICE), is_shared=is_shared)
    done = prune_layout(write(), settings, OperationSettings(out, epochs=1))
    file, verified = read_layout_file(out / "layout.json"), verify_layout(out)

    assert file.costs.n_adapter_parameters == 2 * PRICE
    assert len(file.connections) == n_places
    assert len(done.kept) == 2
    assert verified.is_same
    assert verified.measured_score == file.scores.exported.validation
    assert file.derived_from is not None
    assert file.derived_from.settings["share"] is is_shared


def test_a_share_of_the_backbone_is_a_budget(write: Writer, tmp_path: Path) -> None:
    """As in a search: 0.1 % of 0.6 million parameters hold one connection."""
    done = prune_layout(write(), PruneSettings("0.1%"), OperationSettings(tmp_path / "out"))

    assert done.written.costs.n_adapter_parameters == PRICE


def test_the_same_pruning_writes_the_same_bytes(write: Writer, tmp_path: Path) -> None:
    """Importance, choice and training derive from the seed."""
    folder = write()
    for name in "ab":
        settings = PruneSettings("1000", importance="taylor", n_examples=32)
        prune_layout(folder, settings, OperationSettings(tmp_path / name, epochs=None, seed=3))

    for name in ("layout.json", "layout.safetensors"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_what_can_not_be_pruned_is_refused(write: Writer, tmp_path: Path) -> None:
    """Each with its cure, and nothing written."""
    folder, asked = write(), OperationSettings(tmp_path / "out")

    with pytest.raises(OperationError, match=r"1,800 parameters .* nothing to prune"):
        prune_layout(folder, PruneSettings("1800"), asked)
    with pytest.raises(OperationError, match="cheapest connection has 450"):
        prune_layout(folder, PruneSettings("449"), asked)
    with pytest.raises(OperationError, match="did you mean 'taylor'"):
        prune_layout(folder, PruneSettings("900", importance="tayler"), asked)
    with pytest.raises(SpaceError, match="got 'few'"):
        prune_layout(folder, PruneSettings("few"), asked)
    assert not (tmp_path / "out").exists()
