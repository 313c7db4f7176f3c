import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placement_search.space.encoding import Encoding
from placement_search.space.training import TrainingChoice
from tests.tiny_spaces import bound, space_file

ends = st.lists(
    st.floats(1e-6, 1.0).map(lambda x: float(f"{x:.3g}")), min_size=2, max_size=2, unique=True
)


@st.composite
def searched(draw: st.DrawFn) -> object:
    """A value, a list, or an interval, as a file says it."""
    low, high = sorted(draw(ends))
    return draw(
        st.sampled_from([low, [low, high], {"low": low, "high": high, "log": True},
                         {"low": low, "high": high}])
    )  # fmt: skip


def with_training(**training: Any) -> Encoding:
    file = space_file(training=training, connections={"exactly": 1}, sources=[3], targets=[9])
    return Encoding(bound(file))


@pytest.mark.slow
@given(searched(), searched(), st.integers(0, 2**32))
@settings(deadline=None)
def test_a_choices_own_numbers_mean_it(rate: object, decay: object, seed: int) -> None:
    """Beside those of the layout, in both directions."""
    encoding = with_training(learning_rate=rate, weight_decay=decay)
    generator = random.Random(seed)  # noqa: S311 - reproducible
    genes = {
        gene.name: generator.randrange(gene.n_values) if gene.n_values else generator.random()
        for gene in encoding.genes
    }
    layout, choice = encoding.decode(genes), encoding.decode_training(genes)
    numbers = encoding.encode(layout, choice)

    assert list(numbers) == [gene.name for gene in encoding.genes]
    assert encoding.decode(numbers) == layout
    assert encoding.decode_training(numbers) == choice


def test_what_the_file_does_not_name_is_left_to_the_study() -> None:
    """And takes no numbers."""
    encoding = with_training()

    assert encoding.decode_training({}) == TrainingChoice()
    assert [gene.name for gene in encoding.genes] == ["module", "source_0", "target_0"]


def test_a_fixed_value_takes_no_number() -> None:
    """It holds for every layout."""
    encoding = with_training(learning_rate=0.02)

    assert encoding.decode_training({}) == TrainingChoice(learning_rate=0.02)
    assert "learning_rate" not in {gene.name for gene in encoding.genes}


def test_a_list_is_one_whole_number_and_an_interval_one_on_the_unit_interval() -> None:
    """So that samplers know what may be between two values."""
    encoding = with_training(learning_rate={"low": 0.001, "high": 0.1, "log": True},
                             weight_decay=[0, 0.1])  # fmt: skip
    n_values = {gene.name: gene.n_values for gene in encoding.genes}

    assert n_values["learning_rate"] is None
    assert n_values["weight_decay"] == 2


@pytest.mark.parametrize(("is_log", "middle"), [(True, 0.01), (False, 0.0505)])
def test_the_middle_of_an_interval(is_log: bool, middle: float) -> None:
    """Halfway in factors or in steps; the ends are the file's own."""
    encoding = with_training(learning_rate={"low": 0.001, "high": 0.1, "log": is_log})
    rates = [
        encoding.decode_training({"learning_rate": place}).learning_rate for place in (0, 0.5, 1)
    ]

    assert rates == [0.001, middle, 0.1]


def test_a_value_that_the_space_lacks_is_refused() -> None:
    """Numbers for it do not exist."""
    encoding = with_training(learning_rate={"low": 0.001, "high": 0.1})
    layout = encoding.decode({"source_0": 0, "target_0": 0})

    with pytest.raises(ValueError, match=r"0\.5 lies outside of 0\.001 to 0\.1"):
        encoding.encode(layout, TrainingChoice(learning_rate=0.5))


@pytest.mark.parametrize(
    ("rate", "own", "nearest"),
    [(0.5, 0.01, 0.5), ([0.001, 0.1], 0.04, 0.001), ({"low": 0.001, "high": 0.1}, 0.01, 0.01),
     ({"low": 0.001, "high": 0.1}, 7.0, 0.1)],
)  # fmt: skip
def test_the_choice_that_is_nearest_to_a_studys_own(
    rate: object, own: float, nearest: float
) -> None:
    """It can be encoded; a setting that the space leaves alone is not chosen."""
    encoding = with_training(learning_rate=rate)
    choice = encoding.space.training.nearest(own, 0.3)
    layout = encoding.decode({"source_0": 0, "target_0": 0})

    assert choice == TrainingChoice(learning_rate=nearest)
    assert encoding.decode_training(encoding.encode(layout, choice)) == choice


def test_a_choice_in_one_line() -> None:
    """As tables and keys show it; nothing where nothing is chosen."""
    assert TrainingChoice(0.003, 0.0).notation == "learning_rate=0.003,weight_decay=0"
    assert TrainingChoice().notation == ""
    assert TrainingChoice(0.003).id_with("abc") == "abc@learning_rate=0.003"
    assert TrainingChoice().id_with("abc") == "abc"
