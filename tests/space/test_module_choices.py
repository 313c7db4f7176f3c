import pytest

from placement_search.errors import SpaceError
from placement_search.module_type import ModuleType, Setting
from placement_search.modules import MODULE_TYPES
from placement_search.places import Places
from placement_search.space.format import Settings
from placement_search.space.module_choices import matching, read_modules
from tests.tiny_spaces import space_file

RANK = Setting(8, "width", minimum=1, is_always_written=True)
TYPES = {
    "plain": ModuleType(
        "plain", {"rank": RANK}, lambda given, place: place.width * int(given["rank"])
    ),
    "bare": ModuleType(
        "bare", {"bias": Setting(default=True, doc="a bias")}, lambda _, place: place.width
    ),
}


def notations(**changes: object) -> list[str]:
    return [module.notation for module in read_modules(space_file(**changes), TYPES, Places(64))]


def test_shared_settings_are_those_of_all_modules_that_have_them() -> None:
    """A value or a list, as in a module; types without the setting do not mind."""
    modules = [{"type": "plain"}, {"type": "bare"}]

    assert notations(modules=modules, shared={"rank": [2, 4]}) == [
        "bare", "plain(rank=2)", "plain(rank=4)",
    ]  # fmt: skip


def test_a_modules_own_word_wins() -> None:
    """Over what the file says for all."""
    assert notations(modules=[{"type": "plain", "rank": 3}], shared={"rank": 2}) == [
        "plain(rank=3)"
    ]


def test_a_shared_setting_that_no_module_has_is_an_error() -> None:
    """With the nearest one that there is."""
    with pytest.raises(SpaceError, match=r"shared of space 'tiny'.*'rnk'.*did you mean 'rank'"):
        notations(modules=[{"type": "plain"}], shared={"rnk": 2})


def test_a_shared_value_that_breaks_a_rule_is_named_where_it_is_used() -> None:
    """Type, range and place."""
    with pytest.raises(SpaceError, match=r"rank of plain in modules.0 .*at least 1, got 0"):
        notations(modules=[{"type": "plain"}], shared={"rank": 0})


def test_combinations_that_contradict_themselves_are_left_out() -> None:
    """No mask with a share to keep; a mask that keeps all is none of them."""
    masked = {"type": "bottleneck", "rank": 8, "mask": ["none", "snip"], "kept": [0.5, 1.0]}
    found = read_modules(space_file(modules=[masked]), MODULE_TYPES, Places(64))

    assert [module.notation for module in found] == [
        "bottleneck(kept=0.5,mask=snip,rank=8)",
        "bottleneck(mask=snip,rank=8)",
        "bottleneck(rank=8)",
    ]


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ({"type": "bottleneck", "rank": 10**26}, "rank"),
        ({"type": "lora", "rank": 1025}, "rank"),
        ({"type": "tiny_attention", "width": 10**9}, "width"),
        ({"type": "adamix", "experts": 10**9}, "experts"),
    ],
)
def test_a_module_that_no_machine_holds_is_refused(module: dict[str, object], name: str) -> None:
    """At most sixteen widths of the backbone, and the message says which number that is."""
    with pytest.raises(SpaceError, match=f"{name} of .* in modules.0 .*at most 1,024, .*got 1"):
        read_modules(space_file(modules=[module]), MODULE_TYPES, Places(64))


def test_a_rank_of_sixteen_widths_is_allowed() -> None:
    """Sparse modules are wide on purpose."""
    wide = {"type": "bottleneck", "rank": 1024, "mask": "snip", "kept": 0.01}

    assert len(read_modules(space_file(modules=[wide]), MODULE_TYPES, Places(64))) == 1


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"type": ["plain", "bear"]}, r"when.0.module.type: .*'bear'.*did you mean 'bare'"),
        ({"rank": [2, 80]}, r"when.0.module.rank: no module of the space has 80; they have 2, 4"),
    ],
)
def test_each_value_of_a_list_is_one_that_a_module_has(wanted: Settings, said: str) -> None:
    """A slip beside a right value would keep modules out without a word."""
    file = space_file(modules=[{"type": "plain", "rank": [2, 4]}, {"type": "bare"}])
    modules = list(read_modules(file, TYPES, Places(64)))

    with pytest.raises(SpaceError, match=said):
        matching(wanted, modules, TYPES, "when.0.module")
