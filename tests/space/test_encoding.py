import itertools
import random
from collections import Counter

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from placement_search.errors import SpaceError
from placement_search.layout import Layout, make_module
from placement_search.module_type import ModuleType, Setting
from placement_search.modules import parse_layout
from placement_search.space.budget import Budget
from placement_search.space.encoding import Encoding
from placement_search.space.file import read_space, shipped_spaces
from placement_search.space.search_space import SearchSpace
from tests.placed_types import TYPES, places_of
from tests.tiny_spaces import N_RANK_8, WIDTH, bound, space_file

Genes = dict[str, float | int]

RANKED = {"rank": Setting(8, "width", minimum=1, is_always_written=True)}
TWO_TYPES = {
    "plain": ModuleType("plain", RANKED, lambda given, place: place.width * int(given["rank"])),
    "rich": ModuleType("rich", RANKED, lambda given, place: 2 * place.width * int(given["rank"])),
}

kind_choices = st.lists(
    st.sampled_from(["sequential", "parallel", "long_range", "recurrent"]),
    min_size=1,
    unique=True,
)


ends = st.integers(0, 24)
pairs = st.builds("{}>{}".format, ends, ends)
sorts = st.one_of(
    st.sampled_from(["sequential", "parallel", "long_range", "recurrent", "*>0-5", "mlp>*"]), pairs
)
ranks = st.sampled_from([{"rank": 4}, {"rank": [1, 4]}])
described = st.fixed_dictionaries({"module": ranks}, optional={"connections": sorts})
conditions = st.fixed_dictionaries(
    {"has": st.one_of(sorts, described)},
    optional={
        "in_all": st.integers(1, 4),
        "module": ranks,
        "without": st.one_of(sorts, described),
    },
).flatmap(
    # At least one consequence.
    lambda said: st.just(said) if len(said) > 1 else st.just(said | {"at_most": 1})
)
budgets = st.one_of(
    st.none(),
    st.builds(Budget, st.none(), st.integers(4000, 30_000)),
    st.builds(Budget, max_flops=st.fractions(1.05, 4)),
    st.builds(Budget, st.integers(708, 9000), max_latency=st.fractions(1.01, 3)),
)
PLACES = places_of(12, WIDTH)
module_choices = st.one_of(
    st.sampled_from([4, [4, 8], [1, 4, 8]]).map(
        lambda ranks: [{"type": "bottleneck", "rank": ranks}]
    ),
    st.sampled_from([
        [{"type": "inner", "rank": [1, 4]}],
        [{"type": "bottleneck", "rank": 4}, {"type": "inner", "rank": [1, 8]}],
        [{"type": "common", "rank": [1, 4]}, {"type": "bottleneck", "rank": 1}],
        [{"type": "common", "rank": [4, 8]}, {"type": "inner", "rank": 4}],
    ]),
)  # fmt: skip
"""Half of them fit everywhere, the others mind their place or share parameters."""


@st.composite
def spaces(draw: st.DrawFn) -> SearchSpace:
    """Spaces of all sorts: few or many candidates, shared modules or not, tight budgets or none.

    Some have connections that are always or never there, groups, and conditions; those that these
    leave empty are not drawn.
    """
    at_least = draw(st.integers(1, 3))
    first = draw(st.integers(0, 21))
    file = space_file(
        kinds=draw(kind_choices),
        sources=draw(st.sampled_from(["all", [f"{first}-{first + 3}"]])),
        connections={"at_least": at_least, "at_most": at_least + draw(st.integers(0, 3))},
        modules=draw(module_choices),
        module_per=draw(st.sampled_from(["layout", "connection"])),
        first_pass=draw(st.sampled_from(["frozen", "adapted"])),
        always=draw(st.lists(pairs, max_size=2)),
        never=draw(st.lists(st.one_of(pairs, st.just("*>0")), max_size=2)),
        symmetric=draw(st.booleans()),
        tied=draw(st.sampled_from([None, None, "blocks"])),
        when=draw(st.lists(conditions, max_size=2)),
    )
    try:
        return bound(file, None, TYPES, budget=draw(budgets), places=PLACES)
    except SpaceError:
        reject()


def drawn_genes(encoding: Encoding) -> st.SearchStrategy[Genes]:
    """Any numbers within their ranges, both ends of the unit interval included."""
    numbers: dict[str, st.SearchStrategy[float | int]] = {
        gene.name: st.floats(0, 1) if gene.n_values is None else st.integers(0, gene.n_values - 1)
        for gene in encoding.genes
    }
    return st.fixed_dictionaries(numbers)


def uniform_genes(encoding: Encoding, generator: random.Random) -> Genes:
    return {
        gene.name: generator.random()
        if gene.n_values is None
        else generator.randrange(gene.n_values)
        for gene in encoding.genes
    }


@pytest.mark.slow
@given(st.data(), spaces())
@settings(deadline=None, max_examples=100)
def test_any_numbers_mean_a_layout_of_the_space(data: st.DataObject, space: SearchSpace) -> None:
    """No proposal has to be rejected, whatever budget, kinds, counts and modules."""
    encoding = Encoding(space)
    layout = encoding.decode(data.draw(drawn_genes(encoding)))

    assert space.contains(layout), layout.notation


@pytest.mark.slow
@given(st.data(), spaces())
@settings(deadline=None, max_examples=200)
def test_a_layouts_own_numbers_mean_it(data: st.DataObject, space: SearchSpace) -> None:
    """Encoding and decoding again changes nothing, so queued layouts keep their numbers."""
    encoding = Encoding(space)
    layout = encoding.decode(data.draw(drawn_genes(encoding)))

    assert encoding.decode(encoding.encode(layout)) == layout


@pytest.mark.slow
@given(st.data(), spaces())
@settings(deadline=None)
def test_encoded_numbers_are_within_the_ranges_of_the_genes(
    data: st.DataObject, space: SearchSpace
) -> None:
    """One number for each gene, as a sampler would have drawn it."""
    encoding = Encoding(space)
    numbers = encoding.encode(encoding.decode(data.draw(drawn_genes(encoding))))

    assert list(numbers) == [gene.name for gene in encoding.genes]
    for gene in encoding.genes:
        high = 1 if gene.n_values is None else gene.n_values - 1
        assert 0 <= numbers[gene.name] <= high


@pytest.mark.slow
@given(st.data(), st.sampled_from(["4-7", "3"]))
@settings(deadline=None)
def test_the_order_of_slots_does_not_matter(data: st.DataObject, sources: str) -> None:
    """Connections of a layout have no order; nor have the slots, even where they want the same."""
    file = space_file(sources=[sources], connections={"at_least": 3, "at_most": 3})
    encoding = Encoding(bound(file))
    genes = data.draw(drawn_genes(encoding))
    order = data.draw(st.permutations(range(3)))
    shuffled = genes | {
        f"{end}_{slot}": genes[f"{end}_{other}"]
        for end in ("source", "target")
        for slot, other in enumerate(order)
    }

    assert encoding.decode(shuffled) == encoding.decode(genes)


@pytest.mark.parametrize("name", shipped_spaces())
def test_uniform_numbers_give_every_candidate_alike(name: str) -> None:
    """A random search over the numbers is one over the connections, or over their groups."""
    file = read_space(name).model_copy(
        update={"connections": read_space(name).connections.model_copy(update={"at_most": 1})}
    )
    space = bound(file)
    encoding, generator = Encoding(space), random.Random(0)  # noqa: S311 - reproducible
    found: Counter[int] = Counter()
    for _ in range(20 * len(space.groups)):
        layout = encoding.decode(uniform_genes(encoding, generator))
        found.update(group for group, _ in space.chosen(layout) or ())
    chi_square = sum((found[group] - 20) ** 2 / 20 for group in range(len(space.groups)))

    # Under uniform candidates chi-square has mean k-1 and standard deviation √(2(k-1)); five of
    # them are a chance below 1e-4, and a candidate drawn twice as often as it should adds 20.
    freedom = len(space.groups) - 1
    assert abs(chi_square - freedom) < 5 * (2 * freedom) ** 0.5


def test_uniform_numbers_give_every_candidate_alike_on_ragged_sources() -> None:
    """Sources with one target and sources with many: the candidate counts, not its source."""
    space = bound(space_file(kinds=["long_range"], connections={"at_least": 1, "at_most": 1}))
    encoding, generator = Encoding(space), random.Random(1)  # noqa: S311 - reproducible
    n_draws = 20_000
    from_last_source = sum(
        encoding.decode(uniform_genes(encoding, generator)).connections[0].source == 22
        for _ in range(n_draws)
    )

    # Node 22 has one of 276 candidates; uniform sources would give it one of 23 draws. Five
    # standard deviations of a Poisson count.
    expected = n_draws / 276
    assert abs(from_last_source - expected) < 5 * expected**0.5


@pytest.mark.parametrize("name", shipped_spaces())
def test_a_layout_takes_few_numbers(name: str) -> None:
    """Two per connection, one for their count, one per module; not one per candidate."""
    file = read_space(name)
    most = file.connections.at_most
    n_modules = 1 if file.module_per == "layout" else most

    assert len(Encoding(bound(file)).genes) <= 2 * most + 1 + n_modules


def test_what_leaves_no_choice_has_no_number() -> None:
    """A fixed count and a single module are not asked for."""
    file = space_file(
        connections={"at_least": 2, "at_most": 2}, modules=[{"type": "bottleneck", "rank": 4}]
    )

    assert [gene.name for gene in Encoding(bound(file)).genes] == [
        "source_0", "target_0", "source_1", "target_1",
    ]  # fmt: skip


def test_near_numbers_mean_near_nodes() -> None:
    """What a sampler learns about a number holds for its neighbours: sources never step back."""
    encoding = Encoding(bound(space_file(connections={"at_least": 1, "at_most": 1})))
    numbers: Genes = {"module": 0, "target_0": 0.5}
    sources = [
        encoding.decode(numbers | {"source_0": step / 100}).connections[0].source
        for step in range(101)
    ]

    assert sources == sorted(sources)
    assert (sources[0], sources[-1]) == (0, 24)


def test_a_module_that_the_budget_cannot_pay_gives_way_to_a_cheaper_one() -> None:
    """The connection stays where it can; no choice leaves the budget."""
    file = space_file(module_per="connection", connections={"at_least": 1, "at_most": 2})
    encoding = Encoding(bound(file, 2 * N_RANK_8 - 1))
    genes = {gene.name: 0.1 if gene.n_values is None else 1 for gene in encoding.genes}
    costs = Counter(c.module.notation for c in encoding.decode(genes).connections)

    assert costs == {"bottleneck(rank=4)": 1, "bottleneck(rank=8)": 1}


def test_a_taken_connection_moves_on_to_the_next_free_one() -> None:
    """Equal numbers in every slot still give as many connections as were asked for."""
    file = space_file(
        kinds=["sequential"], sources=["0-2"], connections={"at_least": 3, "at_most": 3}
    )
    encoding = Encoding(bound(file))
    genes = {gene.name: 1.0 if gene.n_values is None else 0 for gene in encoding.genes}
    layout = encoding.decode(genes)

    assert [(c.source, c.target) for c in layout.connections] == [(0, 0), (1, 1), (2, 2)]


def test_a_layout_of_another_space_is_refused() -> None:
    """Numbers for it do not exist."""
    encoding = Encoding(bound(space_file(kinds=["parallel"])))

    with pytest.raises(ValueError, match=r"space 'tiny' does not contain 3>9:bottleneck"):
        encoding.encode(parse_layout("3>9:bottleneck(rank=4)"))


def test_every_layout_of_a_space_of_two_types_has_numbers() -> None:
    """What a space contains a sampler can propose, so it survives the round trip."""
    file = space_file(
        kinds=["sequential"],
        sources=["0-1"],
        connections={"at_least": 1, "at_most": 2},
        modules=[{"type": "plain", "rank": 4}, {"type": "rich", "rank": 4}],
        module_per="connection",
    )
    space = bound(file, types=TWO_TYPES)
    encoding = Encoding(space)
    modules = [make_module(TWO_TYPES, name, {"rank": 4}, "a test") for name in TWO_TYPES]
    wired = [space.layout([p], [m]).connections[0] for p in space.pairs for m in modules]
    layouts = [Layout(chosen) for n in (1, 2) for chosen in itertools.combinations(wired, n)]

    for layout in filter(space.contains, layouts):
        assert encoding.decode(encoding.encode(layout)) == layout
