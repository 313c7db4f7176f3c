import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placement_search.errors import LayoutError
from placement_search.module_type import ModuleType, Scalar, Setting

RANK = Setting(8, "width", minimum=1, is_always_written=True)
SCALE = Setting(1.0, "factor", minimum=-2.0)
NORM = Setting(default=True, doc="on or off")
ACTIVATION = Setting("gelu", "non-linearity", choices=("gelu", "relu"))
TYPE = ModuleType(
    "toy",
    {"scale": SCALE, "rank": RANK, "norm": NORM, "activation": ACTIVATION},
    count=lambda settings, place: place.width * int(settings["rank"]),
)

legal_settings: st.SearchStrategy[dict[str, Scalar]] = st.fixed_dictionaries(
    {},
    optional={
        "rank": st.integers(1, 64),
        "scale": st.floats(-2, 1e9),
        "norm": st.booleans(),
        "activation": st.sampled_from(["gelu", "relu"]),
    },
)


@pytest.mark.parametrize(
    ("setting", "value"),
    [(RANK, 1), (RANK, 64), (SCALE, -2.0), (NORM, False), (ACTIVATION, "relu")],
)
def test_a_legal_value_is_kept(setting: Setting, value: Scalar) -> None:
    """Ranges include their ends."""
    assert setting.checked(value, "here") == value


def test_a_whole_number_may_stand_for_a_float() -> None:
    """``scale=1`` and ``scale=1.0`` are one setting, so they have one form."""
    checked = SCALE.checked(1, "here")

    assert checked == 1.0
    assert type(checked) is float


@pytest.mark.parametrize(
    ("setting", "value", "rule"),
    [
        (RANK, 0, "at least 1, got 0"),
        (RANK, 8.0, "type int, got 8.0"),
        (RANK, True, "type int, got True"),
        (RANK, "8", "type int, got '8'"),
        (SCALE, -2.5, "at least -2, got -2.5"),
        (SCALE, float("nan"), "finite, got nan"),
        (SCALE, float("inf"), "finite, got inf"),
        (SCALE, True, "type float, got True"),
        (SCALE, False, "type float, got False"),
        (NORM, 1, "type bool, got 1"),
        (NORM, "true", "type bool, got 'true'"),
        (ACTIVATION, "gleu", "one of gelu, relu; got 'gleu'"),
        (ACTIVATION, 3, "type str, got 3"),
    ],
)
def test_an_illegal_value_is_refused_with_rule_value_and_place(
    setting: Setting, value: Scalar, rule: str
) -> None:
    """Nothing is silently turned into something else, a truth value into a number least of all."""
    with pytest.raises(LayoutError) as raised:
        setting.checked(value, "x of toy in 'a test'")

    assert str(raised.value).startswith("x of toy in 'a test'")
    assert rule in str(raised.value)


@given(legal_settings)
@settings(deadline=None)
def test_what_is_written_completes_to_what_was_given(given_settings: dict[str, Scalar]) -> None:
    """Leaving out defaults loses nothing."""
    written = TYPE.written(given_settings, "a test")

    assert TYPE.complete(written) == TYPE.complete(given_settings)
    assert TYPE.written(TYPE.complete(written), "a test") == written


@given(legal_settings)
@settings(deadline=None)
def test_written_settings_are_sorted_and_say_no_default_but_those_always_written(
    given_settings: dict[str, Scalar],
) -> None:
    """The form is canonical, so that equal modules have equal notations."""
    written = TYPE.written(given_settings, "a test")

    assert list(written) == sorted(written)
    assert "rank" in written
    assert all(
        name == "rank" or value != TYPE.settings[name].default for name, value in written.items()
    )


def test_an_unknown_setting_is_named_with_the_nearest_known_one() -> None:
    """A typing mistake is cured by its message."""
    with pytest.raises(LayoutError, match=r"setting 'nrom' of toy in line 3 .*mean 'norm'"):
        TYPE.written({"nrom": True}, "line 3")


def test_settings_have_ranges_of_two_ends() -> None:
    """The largest value is allowed, what is above it is not."""
    setting = Setting(0.5, "a share", minimum=0.0, maximum=1.0)

    assert setting.checked(1.0, "x") == 1.0
    with pytest.raises(LayoutError, match=r"x must be at most 1, got 1\.5"):
        setting.checked(1.5, "x")
