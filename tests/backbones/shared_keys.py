"""A DeBERTa whose maps to queries and keys read relative positions as well, as version 3 does."""

from placement_search.backbones.loading import Backbone
from tests.tiny_backbones import DEBERTA, tiny

NAME = "deberta-v2, shared keys"
N_POSITIONS = 48
"""Relative positions that each block reads: twice as far as texts are long."""


def tiny_shared_keys() -> Backbone:
    """Three blocks, otherwise like ``deberta-v2`` of the table."""
    return tiny("DebertaV2", share_att_key=True, **DEBERTA)
