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
    lowest = Layout((Connection(0, 1, space.modules[0]),))

    def population() -> int:
        free = free_memory(bench.backbone.device) // settings.workers
        return best_population(bench, lowest, settings.training, share, free_bytes=free)

    if settings.workers == 1:
        return InProcessEngine(bench, population)
    return LocalProcesses(bench, settings.model, settings.workers, population)
