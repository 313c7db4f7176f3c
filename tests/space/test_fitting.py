"""Modules that can be at no connection of a space, or at no place at all."""

import pytest

from placement_search.errors import SpaceError
from tests.tiny_spaces import bound, space_file


@pytest.mark.parametrize(
    ("module", "told"),
    [
        (
            {"type": "lora", "tied": 1},
            (
                "lora(rank=8,tied=1) of space 'tiny' fits no place of the backbone: it works "
                "inside a sub-layer, and can't be tied; leave tied at 0; change its settings, or "
                "leave the module out"
            ),
        ),
        (
            {"type": "arc", "mask": "snip", "kept": 0.5},
            "it has no matrices that a mask could thin out: leave mask and kept out; change",
        ),
        (
            {"type": "bottleneck", "kept": [0.25, 0.5]},
            "it keeps a share of its weights by no mask: say which (mask); change",
        ),
        (
            {"type": "hadamard", "mask": "snip"},
            "0>1:hadamard(mask=snip) has no matrices that a mask could thin out",
        ),
    ],
)
def test_settings_that_work_at_no_place_are_told_without_a_word_of_connections(
    module: dict[str, object], told: str
) -> None:
    """Other connections would not help."""
    with pytest.raises(SpaceError) as raised:
        bound(space_file(modules=[module]))

    assert told in str(raised.value)
    assert "admit other connections" not in str(raised.value)
