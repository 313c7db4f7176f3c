"""The search space of a study: its file on its backbone, within its budget."""

from dataclasses import replace
from functools import partial

import optuna
from pydantic import TypeAdapter

from placement_search.errors import SpaceError
from placement_search.evaluation.cost_table import cost_table, latency_price
from placement_search.evaluation.workbench import Workbench
from placement_search.modules import MODULE_TYPES
from placement_search.space.budget import Budget, parse_budget
from placement_search.space.cost_table import CostTable, Price
from placement_search.space.file import SpaceFile, read_space
from placement_search.space.module_choices import read_modules
from placement_search.space.search_space import SearchSpace, bind_space
from placement_search.study.settings import SearchSettings

LATENCY = "latency"
"""The study's attribute that holds what was measured."""
_PRICES = TypeAdapter(Price)


def study_budget(settings: SearchSettings, n_backbone: int) -> Budget:
    """What layouts of a study may cost.

    Raises:
        SpaceError: If an option is no limit.
    """
    return parse_budget(
        settings.max_params,
        n_backbone,
        max_bytes=settings.max_bytes,
        max_flops=settings.max_flops,
        max_latency=settings.max_latency,
    )


def study_space(
    settings: SearchSettings, bench: Workbench, latency: Price | None = None
) -> SearchSpace:
    """The layouts that a study may propose.

    Args:
        settings: Name the space and the budget.
        bench: Backbone and data.
        latency: What `study_latency` gave; None leaves a limit on latency out of account.

    Raises:
        SpaceError: If the file or the budget does not fit the backbone, with the file's name.
    """
    budget = study_budget(settings, bench.backbone.facts.n_parameters)
    budget = budget if latency else replace(budget, max_latency=None)
    is_counted = budget != Budget(budget.max_parameters)
    return bound_space(settings, bench, budget, latency, is_counted=is_counted)


def bound_space(
    settings: SearchSettings,
    bench: Workbench,
    budget: Budget,
    latency: Price | None,
    *,
    is_counted: bool,
) -> SearchSpace:
    """The space within a budget; ``is_counted`` says whether bytes and operations are counted.

    Raises:
        SpaceError: See `study_space`.
    """
    file, backbone = read_space(settings.space), bench.backbone
    bind = partial(
        bind_space,
        file,
        MODULE_TYPES,
        n_nodes=backbone.n_nodes,
        places=backbone.places,
        sublayers=backbone.facts.sublayers,
    )
    try:
        # Without a table first: all mistakes of the file are then told at once.
        space = bind(budget=Budget(budget.max_parameters))
        return bind(budget=budget, table=_table(file, bench, latency)) if is_counted else space
    except SpaceError as error:
        raise SpaceError(f"{settings.space}: {error}") from error


def _table(file: SpaceFile, bench: Workbench, latency: Price | None) -> CostTable:
    modules = read_modules(file, MODULE_TYPES, bench.backbone.places)
    return cost_table(bench, tuple(modules), latency)


def study_latency(
    held: optuna.Study | None, settings: SearchSettings, bench: Workbench
) -> Price | None:
    """What modules and passes add to the latency; None where the study does not limit it.

    It is measured once in a study's life, see `keep_latency`; ``held`` is None for a new one.
    """
    if settings.max_latency is None:
        return None
    stored = held.user_attrs.get(LATENCY) if held else None
    return measured_latency(settings, bench) if stored is None else _PRICES.validate_python(stored)


def keep_latency(study: optuna.Study, latency: Price | None) -> None:
    """Write down what `study_latency` gave, so that all layouts of a study are judged alike."""
    if latency is not None and LATENCY not in study.user_attrs:
        study.set_user_attr(LATENCY, _PRICES.dump_python(latency, mode="json"))


def measured_latency(settings: SearchSettings, bench: Workbench) -> Price:
    """What modules and passes add to the latency, measured now."""
    modules = read_modules(read_space(settings.space), MODULE_TYPES, bench.backbone.places)
    return latency_price(bench, tuple(modules))
