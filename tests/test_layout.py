import hashlib
import itertools
import os
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placement_search.errors import LayoutError
from placement_search.layout import (
    Connection,
    FirstPass,
    Kind,
    Layout,
    ModuleSpec,
    kind_of,
    make_module,
    parse_layout,
)
from placement_search.module_type import ModuleType, Scalar, Setting

TYPES = {
    "bottleneck": ModuleType(
        "bottleneck",
        {
            "rank": Setting(8, "width", minimum=1, is_always_written=True),
            "activation": Setting("gelu", "between the maps", choices=("gelu", "relu", "tanh")),
            "norm": Setting(default=True, doc="before the down map"),
            "scale": Setting(1.0, "factor"),
        },
        count=lambda settings, place: 2 * place.width * int(settings["rank"]),
    ),
    "bias": ModuleType("bias", {}, count=lambda _settings, place: place.width),
}
N_NODES = 25
EXAMPLE = "3>9:bottleneck(rank=8)+20>4:bottleneck(rank=4)"

nodes = st.integers(0, N_NODES - 1)
given_settings: st.SearchStrategy[dict[str, Scalar]] = st.fixed_dictionaries(
    {},
    optional={
        "rank": st.integers(1, 64),
        "activation": st.sampled_from(["gelu", "relu", "tanh"]),
        "norm": st.booleans(),
        "scale": st.floats(allow_nan=False, allow_infinity=False),
    },
)
modules = st.one_of(
    st.builds(lambda given: make_module(TYPES, "bottleneck", given, "a test"), given_settings),
    st.just(make_module(TYPES, "bias", {}, "a test")),
)
connections = st.lists(
    st.builds(Connection, nodes, nodes, modules),
    max_size=6,
    unique_by=lambda c: (c.source, c.target, c.module.type),
).map(tuple)
layouts = st.builds(Layout, connections, st.sampled_from(FirstPass))


def bottleneck(**given: Scalar) -> ModuleSpec:
    return make_module(TYPES, "bottleneck", given, "a test")


def test_twelve_blocks_have_the_papers_number_of_connections_of_each_kind() -> None:
    """625 = 25 + 24 + 276 + 300, as Nowak et al. (2024) count them for ViT-B/16."""
    pairs = itertools.product(range(N_NODES), repeat=2)
    counts = Counter(kind_of(source, target) for source, target in pairs)

    assert counts == {
        Kind.SEQUENTIAL: 25,
        Kind.PARALLEL: 24,
        Kind.LONG_RANGE: 276,
        Kind.RECURRENT: 300,
    }


@pytest.mark.parametrize(
    ("source", "target", "kind"),
    [
        (4, 4, Kind.SEQUENTIAL),
        (4, 5, Kind.PARALLEL),
        (4, 6, Kind.LONG_RANGE),
        (0, 24, Kind.LONG_RANGE),
        (5, 4, Kind.RECURRENT),
        (24, 0, Kind.RECURRENT),
    ],
)
def test_the_two_ends_fix_the_kind(source: int, target: int, kind: Kind) -> None:
    """Sequential i = j, parallel j = i+1, long range j > i+1, recurrent i > j."""
    assert Connection(source, target, bottleneck()).kind is kind


@given(layouts)
@settings(deadline=None)
def test_notation_is_read_back_as_the_same_layout(layout: Layout) -> None:
    """What one line says is all there is."""
    assert parse_layout(layout.notation, TYPES) == layout


def test_the_documented_example_is_read_and_written_back_the_same() -> None:
    """The example of the documentation is in canonical form."""
    layout = parse_layout(EXAMPLE, TYPES)

    assert [(c.source, c.target, c.kind) for c in layout.connections] == [
        (3, 9, Kind.LONG_RANGE),
        (20, 4, Kind.RECURRENT),
    ]
    assert [c.module.settings for c in layout.connections] == [{"rank": 8}, {"rank": 4}]
    assert layout.notation == EXAMPLE


def test_no_connections_are_written_none() -> None:
    """The head alone has a notation, too."""
    assert Layout().notation == "none"
    assert parse_layout(" none ", TYPES) == Layout()


@pytest.mark.slow
@given(st.data(), connections, st.sampled_from(FirstPass))
@settings(deadline=None)
def test_the_order_of_connections_does_not_matter(
    data: st.DataObject, given_connections: tuple[Connection, ...], first_pass: FirstPass
) -> None:
    """All additions at a node are summed, so layouts differ by what they hold alone."""
    shuffled = tuple(data.draw(st.permutations(given_connections)))
    layout, again = Layout(given_connections, first_pass), Layout(shuffled, first_pass)

    assert again == layout
    assert (again.notation, again.id) == (layout.notation, layout.id)


@given(layouts)
@settings(deadline=None)
def test_connections_stand_sorted_by_source_then_target(layout: Layout) -> None:
    """The canonical order is that of the nodes, not of their decimal digits."""
    ends = [(c.source, c.target) for c in layout.connections]

    assert ends == sorted(ends)


@given(layouts, layouts)
@settings(deadline=None)
def test_layouts_have_equal_ids_exactly_if_they_are_equal(one: Layout, other: Layout) -> None:
    """An id stands for a layout in files and studies."""
    assert (one.id == other.id) == (one == other)


def test_equal_scales_of_either_sign_of_zero_have_one_id() -> None:
    """0.0 == -0.0, so these layouts are equal."""
    zero, negative = (Layout((Connection(1, 2, bottleneck(scale=scale)),)) for scale in (0.0, -0.0))

    assert zero == negative
    assert zero.id == negative.id


def test_an_id_is_the_start_of_the_notations_sha_256() -> None:
    """Twelve hexadecimal digits that anyone can compute."""
    layout = parse_layout(EXAMPLE, TYPES)

    assert layout.id == hashlib.sha256(EXAMPLE.encode()).hexdigest()[:12]


@pytest.mark.parametrize("hash_seed", ["0", "4242"])
def test_an_id_is_the_same_in_every_process(hash_seed: str) -> None:
    """Python's own hashes differ from process to process; ids must not."""
    code = (
        "from placement_search.layout import Connection, Layout, ModuleSpec\n"
        "rank = lambda n: ModuleSpec('bottleneck', (('rank', n),))\n"
        "print(Layout((Connection(20, 4, rank(4)), Connection(3, 9, rank(8)))).id)"
    )
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    said = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout

    assert said.strip() == parse_layout(EXAMPLE, TYPES).id


def test_spaces_do_not_matter() -> None:
    """People write them."""
    spaced = " 20 > 4 : bottleneck ( rank = 4 )  +  3>9: bottleneck( rank=8 , norm = true ) "

    assert parse_layout(spaced, TYPES) == parse_layout(EXAMPLE, TYPES)


def test_spaces_do_not_matter_in_the_first_pass() -> None:
    """They may stand around its equals sign as around every other."""
    layout = parse_layout("9>3:bias|first_pass=adapted", TYPES)

    assert parse_layout("9>3:bias | first_pass = adapted ", TYPES) == layout


def test_settings_at_their_default_are_left_out_but_a_rank_is_always_said() -> None:
    """A notation is short, and the same whether or not defaults were given."""
    said = parse_layout("1>2:bottleneck(rank=8,norm=true,scale=1,activation=gelu)", TYPES)
    unsaid = parse_layout("1>2:bottleneck", TYPES)

    assert said == unsaid
    assert unsaid.notation == "1>2:bottleneck(rank=8)"


@given(connections)
@settings(deadline=None)
def test_the_first_pass_is_kept_exactly_where_something_reads_it(
    given_connections: tuple[Connection, ...],
) -> None:
    """Without recurrent connections the two choices are one layout."""
    layout = Layout(given_connections, FirstPass.ADAPTED)

    assert (layout.first_pass is FirstPass.ADAPTED) == layout.is_recurrent


@pytest.mark.slow
@given(layouts)
@settings(deadline=None)
def test_recurrent_connections_can_be_left_out(layout: Layout) -> None:
    """What remains runs in one pass and lost nothing else."""
    forward = layout.without_recurrent()

    assert not forward.is_recurrent
    assert set(forward.connections) == {
        c for c in layout.connections if c.kind is not Kind.RECURRENT
    }


@pytest.mark.parametrize("second", ["3>9:bottleneck(rank=8)", "3>9:bottleneck(rank=4)"])
def test_one_type_stands_once_between_two_nodes(second: str) -> None:
    """A repeat is refused, also with other settings, and said with its place."""
    with pytest.raises(LayoutError, match=r"one bottleneck for each pair of nodes.*3>9 twice"):
        parse_layout(f"3>9:bottleneck(rank=8)+{second}", TYPES)


def test_two_types_may_stand_between_the_same_nodes() -> None:
    """Only a repeat of the same type is a mistake."""
    assert len(parse_layout("3>9:bottleneck+3>9:bias", TYPES).connections) == 2


def test_nodes_count_from_zero() -> None:
    """A negative node is refused where it is made."""
    with pytest.raises(LayoutError, match=r"nodes count from 0, got connection -1>3"):
        Connection(-1, 3, bottleneck())


def test_a_node_beyond_the_backbone_is_named() -> None:
    """The last node is allowed, the next one not."""
    layout = parse_layout("24>0:bias+0>25:bias", TYPES)

    layout.check_nodes(26)
    with pytest.raises(LayoutError, match=r"0>25:bias reaches beyond the last node 24"):
        layout.check_nodes(25)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ["source>target:type(setting=value)", "got ''"]),
        ("3-9:bottleneck", ["source>target:type(setting=value)", "3-9:bottleneck"]),
        ("1>2:bias+3>:bias", ["source>target:type(setting=value)", "got '3>:bias'"]),
        ("3>9:botleneck", ["'botleneck'", "3>9:botleneck", "did you mean 'bottleneck'?"]),
        ("3>9:convolution", ["'convolution'", "known: bias, bottleneck"]),
        (
            "3>9:bottleneck(rnk=8)",
            ["unknown setting 'rnk' of bottleneck", "3>9:bottleneck(rnk=8)", "mean 'rank'?"],
        ),
        ("3>9:bias(x=1)", ["unknown setting 'x' of bias", "3>9:bias(x=1)"]),
        ("3>9:bottleneck(rank=0)", ["rank", "3>9:bottleneck(rank=0)", "at least 1, got 0"]),
        ("3>9:bottleneck(rank=8.5)", ["rank", "3>9", "type int, got 8.5"]),
        ("3>9:bottleneck(rank=true)", ["rank", "3>9", "type int, got True"]),
        ("3>9:bottleneck(norm=1)", ["norm", "3>9", "type bool, got 1"]),
        ("3>9:bottleneck(scale=nan)", ["scale", "3>9", "finite, got nan"]),
        ("3>9:bottleneck(scale=1e999)", ["scale", "3>9", "finite, got inf"]),
        ("3>9:bottleneck(activation=gleu)", ["one of gelu, relu, tanh", "3>9", "'gleu'"]),
        ("3>9:bottleneck(rank)", ["name=value", "3>9:bottleneck(rank)"]),
        ("3>9:bottleneck(rank=4,rank=8)", ["once each", "3>9:bottleneck(rank=4,rank=8)"]),
        ("9>3:bias|first_pass=frosen", ["first_pass=frozen", "'first_pass=frosen'", "9>3:bias|"]),
        ("9>3:bias|second_pass=adapted", ["first_pass=frozen", "'second_pass=adapted'"]),
    ],
)
def test_mistakes_name_rule_value_place_and_the_nearest_key(text: str, said: list[str]) -> None:
    """A user can mend the line without reading the code."""
    with pytest.raises(LayoutError) as raised:
        parse_layout(text, TYPES)

    assert all(part in str(raised.value) for part in said), str(raised.value)


@pytest.mark.slow
@given(st.data(), layouts)
@settings(deadline=None)
def test_a_slip_of_the_keyboard_gives_a_layout_or_a_layout_error(
    data: st.DataObject, layout: Layout
) -> None:
    """Nothing that a user types ends in a traceback."""
    notation = layout.notation
    start = data.draw(st.integers(0, len(notation)))
    end = data.draw(st.integers(start, min(start + 3, len(notation))))
    slip = data.draw(st.text("0159>:+(),=|.-e truefanxbs", max_size=3))
    try:
        read = parse_layout(notation[:start] + slip + notation[end:], TYPES)
    except LayoutError:
        return

    assert parse_layout(read.notation, TYPES) == read


def test_an_integer_too_large_for_a_float_is_a_layout_error() -> None:
    """A scale of 400 digits is no number that a computer can multiply by."""
    with pytest.raises(LayoutError, match="scale"):
        parse_layout(f"1>2:bottleneck(scale=1{'0' * 400})", TYPES)
