"""Proxies of whole layouts for a study's trials, to be held against what the trials scored."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import optuna

from placement_search.engine.engine import Infeasible
from placement_search.engine.in_process import memory_errors_told
from placement_search.evaluation.workbench import Workbench
from placement_search.layout import Layout, parse_layout
from placement_search.modules import MODULE_TYPES
from placement_search.profile import Work
from placement_search.proxies.layouts import LAYOUT_PROXIES
from placement_search.proxies.layouts.write import write_layout
from placement_search.study import records
from placement_search.study.progress import Progress
from placement_search.study.proxy_map import chosen_examples, stream_of
from placement_search.study.seeds import derive_seed

N_EXAMPLES = 32
"""Training examples that a layout is scored on; the first of those that the map is made from."""
MAX_LAYOUTS = 200
"""Layouts of a study that are scored: a rank correlation is then known to within 0.14.

Each takes a few hundredths of a short training.
"""


def layout_proxies(
    bench: Workbench, layout: Layout, seed: int, batch_size: int
) -> dict[str, float]:
    """Every layout proxy's score of one layout.

    Args:
        bench: Backbone and data; its probed head gives the loss.
        layout: What is scored, untrained.
        seed: The study's; fixes the examples, and with the layout the small write.
        batch_size: Examples in one pass; changes nothing but memory, and rounding.
    """
    stream = stream_of(bench, chosen_examples(bench, seed, N_EXAMPLES))
    stream = replace(stream, batch_size=min(stream.batch_size, batch_size))
    written = write_layout(stream, layout, derive_seed(seed, "write", layout.id))
    return {name: proxy(written) for name, proxy in LAYOUT_PROXIES.items()}


def store_layout_proxies(
    study: optuna.Study, bench: Workbench, seed: int, batch_size: int, progress: Progress
) -> None:
    """Score the layouts of the first complete trials, as far as they have no scores yet.

    One that memory does not suffice for stays without: a search does not end for a proxy.

    Args:
        study: Holds the trials; takes the scores.
        bench: Backbone and data.
        seed: The study's.
        batch_size: Examples in one pass, of a training and at most here.
        progress: Is told.
    """
    due = _due(study)
    progress.start("layout proxies", len(due))
    with bench.profile.of(Work.PROXIES):
        for layout in due:
            try:
                with memory_errors_told():
                    scores = layout_proxies(bench, layout, seed, batch_size)
            except Infeasible as error:
                progress.say(f"layout proxies: none of {layout.notation}: {error}")
            else:
                study.set_user_attr(f"{records.LAYOUT_PROXIES}{layout.id}", scores)
            progress.advance(layout.notation)
    progress.finish()


def _due(study: optuna.Study) -> list[Layout]:
    """Layouts of admitted complete trials, each once however it is trained, in their order."""
    known: Mapping[str, Any] = study.user_attrs
    complete = (optuna.trial.TrialState.COMPLETE,)
    notations = [
        trial.user_attrs[records.LAYOUT]
        for trial in study.get_trials(deepcopy=False, states=complete)
        if trial.user_attrs[records.IS_ELIGIBLE]
    ]
    found = [parse_layout(n, MODULE_TYPES) for n in list(dict.fromkeys(notations))[:MAX_LAYOUTS]]
    return [layout for layout in found if f"{records.LAYOUT_PROXIES}{layout.id}" not in known]
