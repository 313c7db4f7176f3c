"""What is asked of a search is checked when it is said."""

import math

import pytest

from placement_search.errors import StudyError
from placement_search.study.settings import SearchSettings


@pytest.mark.parametrize(
    ("gammas", "said"), [((), "none"), ((0.6, 1.5), "0.6, 1.5"), ((float("nan"),), "nan")]
)
def test_discounts_lie_within_0_and_1(gammas: tuple[float, ...], said: str) -> None:
    """All of them are shown, beside counts that are too small."""
    with pytest.raises(StudyError, match=f"n_trials must .*within 0 and 1, got {said}$"):
        SearchSettings(n_trials=0, gammas=gammas)


def test_both_ends_are_discounts() -> None:
    """0 is none, and 1 leaves nothing beside what was chosen."""
    assert SearchSettings(gammas=(0.0, 1.0)).gammas == (0.0, 1.0)


@pytest.mark.parametrize("name", ["memory", "max_seconds"])
@pytest.mark.parametrize(("value", "rule"), [(math.nan, "at least 0"), (math.inf, "finite")])
def test_limits_are_numbers(name: str, value: float, rule: str) -> None:
    """A limit that nothing reaches is none."""
    with pytest.raises(StudyError, match=f"{name} must be {rule}, got {value}"):
        SearchSettings(**{name: value})  # type: ignore[arg-type]
