"""The engine that a search's settings ask for."""

from placement_search.engine.engine import Engine
from placement_search.engine.in_process import InProcessEngine
from placement_search.engine.local_processes import LocalProcesses
from placement_search.evaluation.population_size import best_population, free_memory
from placement_search.evaluation.workbench import Workbench
from placement_search.layout import Connection, Layout
from placement_search.space.search_space import SearchSpace
from placement_search.study.settings import SearchSettings


def engine_for(settings: SearchSettings, space: SearchSpace, bench: Workbench) -> Engine:
    """An engine for a study; it measures and hires nothing before it is asked to evaluate.

    Args:
        settings: Say how many processes, and how many trials are ever under way.
        space: Whose modules populations are measured with.
        bench: Backbone and data.
    """
    share = -(-settings.concurrency // settings.workers)
    lowest = lowest_layout(space)

    def population() -> int:
        free = free_memory(bench.backbone.device) // settings.workers
        return best_population(bench, lowest, settings.training, share, free_bytes=free)

    if settings.workers == 1:
        return InProcessEngine(bench, population)
    return LocalProcesses(bench, settings.model, settings.workers, population)


def lowest_layout(space: SearchSpace) -> Layout:
    """A connection with the space's first module, the lowest one that it fits."""
    module, classes = space.modules[0], space.table.classes
    pairs = ((0, 1), *sorted(space.pairs, key=lambda pair: pair[1]))
    source, target = next(pair for pair in pairs if not classes.misfit(module, pair))
    return Layout((Connection(source, target, module),))
