"""``inspect``, ``data`` and ``map``: what a backbone and a task offer, before any search."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from placement_search.backbones.settings import EMBEDDED, ModelSettings
from placement_search.cli.bundles import with_bundles
from placement_search.cli.options import (
    DEFAULTS,
    FamilyOption,
    Format,
    FormatOption,
    PickleOption,
    RemoteCodeOption,
    RevisionOption,
    SeedOption,
    exit_codes,
)
from placement_search.cli.output import Row, print_facts, print_json, print_rows
from placement_search.cli.progress import StderrProgress
from placement_search.tasks.settings import DataSettings

SPREAD_TITLE = "how alike batches, and heads, rank the connections"

if TYPE_CHECKING:
    from placement_search.backbones.loading import Backbone
    from placement_search.evaluation.workbench import Workbench
    from placement_search.study.records import ProxyMap


def inspect(
    model: Annotated[
        str, typer.Argument(help="'embedded', a local folder, or the id of a model on the hub.")
    ] = EMBEDDED,
    revision: RevisionOption = None,
    family: FamilyOption = None,
    allow_pickle: PickleOption = False,
    trust_remote_code: RemoteCodeOption = False,
    form: FormatOption = Format.TABLE,
) -> None:
    """Show a backbone's nodes and sub-layers, and how many connections of each kind it has.

    Example: placement-search inspect embedded
    """
    with exit_codes():
        from placement_search.backbones.loading import load_backbone

        backbone = load_backbone(
            ModelSettings(
                model=model,
                revision=revision,
                device="cpu",
                family=family,
                allow_pickle=allow_pickle,
                trust_remote_code=trust_remote_code,
            )
        )
        facts, nodes = _facts(backbone), _node_rows(backbone)
        if form is Format.JSON:
            print_json({**facts, "nodes": nodes})
        elif form is Format.CSV:
            print_rows(nodes, form)
        else:
            print_facts(facts, form)
            typer.echo("")
            print_rows(nodes, form)


@with_bundles
def data_(data: DataSettings, form: FormatOption = Format.TABLE) -> None:
    """Show how labelled data would be read: columns, splits, classes, and what is wrong with them.

    Example: placement-search data --data digits-count --format json
    """
    with exit_codes():
        from placement_search.tasks.loading import read_data

        raw = read_data(data)
        rows = [{"found": note} for note in raw.notes]
        if form is Format.TABLE:
            for note in raw.notes:
                typer.echo(note)
        else:
            print_rows(rows, form)


@with_bundles
def map_(
    model: ModelSettings,
    data: DataSettings,
    proxy: Annotated[
        str, typer.Option(help="Proxy to rank by, e.g. effective_rank or nuclear_norm.")
    ] = "effective_rank",
    limit: Annotated[
        int, typer.Option(min=0, help="Connections to show, best first; 0 for all.")
    ] = 20,
    examples: Annotated[
        int, typer.Option(min=1, help="Training examples that gradients are summed over.")
    ] = 256,
    seed: SeedOption = DEFAULTS.seed,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for map.csv, map-spread.csv and map.json, e.g. runs/map.",
            show_default="nothing is written",
        ),
    ] = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Score all n² connections by every proxy, and say how stable each proxy is.

    From one forward and one backward pass of all examples, and a few more of some of them.

    Example: placement-search map --data digits-count --proxy nuclear_norm --out runs/map
    """
    with exit_codes():
        from placement_search.cli.map_files import AskedMap, check_map, write_map
        from placement_search.errors import StudyError, nearest
        from placement_search.proxies import PROXIES
        from placement_search.study.proxy_map import compute_proxy_map
        from placement_search.study.search import load_bench

        if proxy not in PROXIES:
            raise StudyError(f"--proxy: there is no proxy {proxy!r}{nearest(proxy, PROXIES)}")
        asked = AskedMap(model, data, seed, examples)
        if out is not None:
            check_map(out, asked)
        with StderrProgress() as progress:
            progress.start("proxy map", 1)
            bench = load_bench(model, data)
            computed = compute_proxy_map(bench, seed, examples)
        rows = sorted(_map_rows(computed), key=lambda row: -float(row[proxy] or 0))
        title = f"{len(rows)} connections in {computed.seconds:.2f} s, by {proxy}"
        print_rows(rows[: limit or None], form, title=title)
        spread = _spread_rows(computed)
        if form is Format.TABLE:
            typer.echo("")
            print_rows(spread, form, title=SPREAD_TITLE)
        if out is not None:
            for path in write_map(out, asked, rows, spread, _origin(bench, computed)):
                typer.echo(f"wrote {path}", err=form is not Format.TABLE)


def _facts(backbone: "Backbone") -> Row:
    from placement_search.layout import Kind, kind_of

    n_nodes = backbone.n_nodes
    kinds = [kind_of(source, target) for source in range(n_nodes) for target in range(n_nodes)]
    facts = backbone.facts
    return {
        "model": facts.id,
        "architecture": facts.architecture,
        "n_parameters": facts.n_parameters,
        "revision": facts.revision,
        "fingerprint": facts.fingerprint,
        "poolings": ", ".join(backbone.poolings),
        "width": facts.width,
        "n_blocks": facts.n_blocks,
        "n_nodes": n_nodes,
        "n_connections": len(kinds),
        **{kind.value: kinds.count(kind) for kind in Kind},
    }


def _node_rows(backbone: "Backbone") -> list[dict[str, str | int]]:
    graph = backbone.graph
    return [
        {
            "node": node.index,
            "state": node.title,
            "module": graph.module_path(node),
            "sublayer_into_it": node.sublayer,
        }
        for node in graph.nodes
    ]


def _map_rows(computed: "ProxyMap") -> list[Row]:
    from placement_search.layout import kind_of

    n_nodes = len(next(iter(computed.scores.values())))
    return [
        {
            "source": source,
            "target": target,
            "kind": kind_of(source, target).value,
            **{name: scores[source][target] for name, scores in computed.scores.items()},
        }
        for source in range(n_nodes)
        for target in range(n_nodes)
    ]


def _spread_rows(computed: "ProxyMap") -> list[Row]:
    spread = computed.spread
    assert spread is not None  # noqa: S101 - a map just computed has one
    return [
        {
            "proxy": name,
            "between_batches": _rounded(spread.between_batches.get(name)),
            "between_heads": _rounded(spread.between_heads.get(name)),
        }
        for name in computed.scores
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _origin(bench: "Workbench", computed: "ProxyMap") -> dict[str, Any]:
    """What a map is of, what it cost, and what made it."""
    from placement_search.study.definition import package_versions

    return {
        "backbone_fingerprint": bench.backbone.facts.fingerprint,
        "data_fingerprint": bench.task.fingerprint,
        "n_examples": computed.n_examples,
        "loss": computed.loss,
        "discarded": computed.discarded,
        "seconds": computed.seconds,
        "versions": package_versions(),
    }
