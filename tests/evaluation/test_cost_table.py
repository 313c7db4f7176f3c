"""Predicted costs are the real ones."""

import pytest

from placement_search.evaluation.cost import count_costs
from placement_search.evaluation.cost_table import cost_table, latency_price
from placement_search.evaluation.evaluate import Evaluation, evaluate
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.workbench import Workbench
from placement_search.layout import Layout
from placement_search.modules import MODULE_TYPES, parse_layout
from tests.backbones.shared_keys import tiny_shared_keys
from tests.placed_types import add_to_tables
from tests.tiny_backbones import BACKBONES
from tests.tiny_task import tiny_bench, tiny_task, tiny_text_task

LAYOUTS = [
    "none",
    "2>2:bottleneck(rank=2)",
    "1>2:bottleneck(rank=4)+2>3:bottleneck(rank=4)",
    "0>3:bottleneck(norm=false,rank=4)",
    "3>0:bottleneck(rank=2)",
    "3>1:bottleneck(rank=2)+2>0:bottleneck(rank=4)+1>2:bottleneck(rank=4)",
    "3>1:bottleneck(rank=2)+1>2:bottleneck(rank=4)+1>1:bottleneck(rank=2)|first_pass=adapted",
    "2>1:bottleneck(rank=4)|first_pass=adapted",
]
MODULES = sorted({c.module for text in LAYOUTS for c in parse_layout(text).connections})
FAMILIES = ["vit", "bert", "gpt2", "llama", "modernbert", "deberta-v2", "t5", "gpt_neox", "phi"]


def bench_of(family: str) -> Workbench:
    backbone = BACKBONES[family]()
    return Workbench(backbone, tiny_task() if family == "vit" else tiny_text_task())


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_predicted_operations_are_those_of_the_real_model(family: str) -> None:
    """For every kind of connection, with frozen and with adapted first passes."""
    bench = bench_of(family)
    table = cost_table(bench, MODULES)
    layouts = [parse_layout(text) for text in LAYOUTS]

    assert [table.costs(layout).n_flops for layout in layouts] == [
        bench.n_flops(bench.adapted(layout)) for layout in layouts
    ]
    assert table.costs(Layout()).flops_factor == 1


@pytest.mark.parametrize(
    "text",
    [
        "0>1:lora(rank=2)",
        "2>3:lora(gate=true,linears=query_value,rank=2)",
        "4>5:arc_inside(rank=3)",
    ],
)
def test_what_is_made_of_relative_positions_is_predicted_too(text: str) -> None:
    """Maps that read them beside tokens are changed at both, which the real model pays for."""
    bench, layout = Workbench(tiny_shared_keys(), tiny_text_task()), parse_layout(text)
    table = cost_table(bench, [c.module for c in layout.connections])

    assert table.costs(layout).n_flops == bench.n_flops(bench.adapted(layout))


@pytest.mark.slow
def test_predicted_parameters_and_bytes_are_those_of_the_score_card() -> None:
    """The head counts among the bytes, and not among the parameters."""
    bench = tiny_bench()
    table = cost_table(bench, MODULES)
    for text in LAYOUTS:
        model = bench.adapted(parse_layout(text))
        real = count_costs(model, n_flops=1, n_bare_flops=1)
        predicted = table.costs(model.layout)

        assert predicted.n_parameters == real.n_adapter_parameters
        assert predicted.n_bytes == real.n_bytes


@pytest.mark.slow
@pytest.mark.parametrize("options", ["", ",gate=true", ",kept=0.4,mask=random"])
def test_a_tied_module_costs_its_bytes_once(options: str) -> None:
    """As it is built and stored, its mask and its gate too."""
    bench = tiny_bench()
    layout = parse_layout(
        "+".join(f"{k}>{k + 1}:bottleneck(rank=2,tied=1{options})" for k in range(3))
    )
    real = count_costs(bench.adapted(layout), n_flops=1, n_bare_flops=1)
    table = cost_table(bench, sorted({c.module for c in layout.connections}))

    assert table.costs(layout).n_bytes == real.n_bytes


@pytest.mark.slow
def test_the_score_card_has_the_predicted_factor() -> None:
    """What a budget was checked by is what the report shows."""
    bench = tiny_bench()
    layout = parse_layout(LAYOUTS[5])
    request = Evaluation(layout, seed=0, plan=TrainingPlan(epochs=1, batch_size=16))
    card = evaluate(bench, request, lambda _epoch, _score: None).card

    assert card.costs.flops_factor == cost_table(bench, MODULES).costs(layout).flops_factor


def test_a_table_prepares_no_split() -> None:
    """So it is there before any frozen states are, and reads no test example."""
    bench = tiny_bench()
    cost_table(bench, MODULES)

    assert {"train", "validation", "test", "pooling_choice"}.isdisjoint(vars(bench))


def test_measured_prices_are_those_of_a_clock() -> None:
    """None is negative, one for each module, and a first pass up to any node costs the same."""
    price = latency_price(tiny_bench(), MODULES)

    assert len(price.modules) == len(MODULES)
    assert min(*price.modules, *price.first_pass) >= 0
    assert len(set(price.first_pass)) == 1
    assert price.fixed == 1


PLACED = [
    "0>1:inner(rank=2)",
    "0>1:inner(rank=2)+2>3:inner(rank=4)+1>2:bottleneck(rank=2)",
    "0>1:inner(rank=2)+3>0:bottleneck(rank=2)|first_pass=adapted",
    "0>3:common(rank=2)+3>1:common(rank=2)+1>1:common(rank=4)",
    "0>1:common(rank=4)+0>1:inner(rank=4)+3>0:common(rank=4)|first_pass=adapted",
]


@pytest.fixture
def placed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of modules with two types that mind their place or share parameters."""
    add_to_tables(monkeypatch)


@pytest.mark.slow
@pytest.mark.usefixtures("placed")
@pytest.mark.parametrize("family", ["vit", "bert", "gpt2"])
def test_modules_cost_what_they_are_built_of_at_their_place(family: str) -> None:
    """Parameters, bytes and operations, inside sub-layers too; what is shared once."""
    bench = bench_of(family)
    layouts = [parse_layout(text) for text in PLACED]
    table = cost_table(bench, sorted({c.module for each in layouts for c in each.connections}))
    for layout in layouts:
        model = bench.adapted(layout)
        real = count_costs(model, n_flops=bench.n_flops(model), n_bare_flops=1)
        predicted = table.costs(layout)

        assert predicted.n_parameters == real.n_adapter_parameters
        assert predicted.n_bytes == real.n_bytes
        assert predicted.n_flops == real.n_flops


@pytest.mark.slow
@pytest.mark.parametrize("name", MODULE_TYPES)
def test_operations_of_every_type_are_predicted(name: str) -> None:
    """At attention and at an MLP, as far as it fits there, with its default settings."""
    bench = bench_of("bert")
    kind, places = MODULE_TYPES[name], bench.backbone.places
    fitting = [
        (s, t) for s, t in ((0, 1), (1, 2)) if not kind.misfit(kind.complete({}), places.at(s, t))
    ]
    layout = parse_layout("+".join(f"{source}>{target}:{name}" for source, target in fitting))
    table = cost_table(bench, sorted({c.module for c in layout.connections}))

    assert table.costs(layout).n_flops == bench.n_flops(bench.adapted(layout))


@pytest.mark.slow
@pytest.mark.usefixtures("placed")
def test_a_module_that_does_not_fit_everywhere_is_timed_where_it_does() -> None:
    """And the first pass with a module that may be recurrent; without one it takes no time."""
    bench = tiny_bench()
    inner, common = (parse_layout(f"0>1:{text}").connections[0].module for text in (
        "inner(rank=2)", "common(rank=2)"
    ))  # fmt: skip
    both, alone = latency_price(bench, [inner, common]), latency_price(bench, [inner])
    table = cost_table(bench, [inner, common], both)

    assert len(both.modules) == 2 and len(alone.modules) == 1
    assert set(alone.first_pass) == {0}
    assert table.latency is not None
    assert len(table.latency.modules) == 2 * len(table.classes.examples)
