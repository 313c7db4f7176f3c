"""The seeds of retrainings, which finals, references and exports agree on."""

from dataclasses import replace

from placement_search.modules import parse_layout
from placement_search.study.retraining import retraining
from placement_search.study.seeds import derive_seed
from tests.tiny_records import DEFINITION

ONE, OTHER = parse_layout("3>9:bottleneck(rank=4)"), parse_layout("4>4:bottleneck(rank=4)")
PAIRED = replace(DEFINITION, is_paired=True)


def test_a_replicate_has_one_order_for_all_layouts() -> None:
    """And initial values of each layout's own."""
    ours, theirs = (retraining(PAIRED, layout, 2) for layout in (ONE, OTHER))

    assert ours.order_seed == theirs.order_seed
    assert ours.seed != theirs.seed


def test_replicates_have_different_orders() -> None:
    """Else they would measure one order again and again."""
    assert len({retraining(PAIRED, ONE, replicate).order_seed for replicate in range(1, 9)}) == 8


def test_unpaired_studies_keep_their_seeds() -> None:
    """The order comes from the layout's own seed, as in finals that are held already."""
    request = retraining(DEFINITION, ONE, 1)

    assert request.order_seed is None
    assert request.seed == derive_seed(DEFINITION.seed, ONE.id, 1)


def test_replicate_0_is_the_searchs_own_evaluation() -> None:
    """Which is not paired, so that exporting a trial trains it as the search did."""
    assert retraining(PAIRED, ONE, 0).order_seed is None


def test_the_test_split_is_read_after_it() -> None:
    """That is what a retraining is for."""
    assert retraining(PAIRED, ONE, 1).is_final
