"""Rows of what commands show of a study."""

from placement_search.cli.options import Format
from placement_search.cli.studies import _trial_row
from tests.tiny_records import trial

EVERY_LAYER = "+".join(f"{node}>{node}:bottleneck(rank=8)" for node in range(1, 25))


def test_a_table_of_trials_shortens_long_layouts() -> None:
    """Adapters in every layer would fill the screen; programs get all of them."""
    everywhere = trial(0, EVERY_LAYER, role="every layer, sequential", is_eligible=False)

    assert str(_trial_row(everywhere, Format.TABLE)["layout"]).endswith("+… (24 connections)")
    assert _trial_row(everywhere, Format.JSON)["layout"] == EVERY_LAYER
