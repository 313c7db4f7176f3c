"""Options of ``search`` whose help says what they go together with; loads no torch."""

from typing import Annotated

import typer

NO_LIMIT = "no limit"
"""Shown as the default of limits."""

PrunerOption = Annotated[
    str,
    typer.Option(
        help="What stops hopeless trials: median, successive-halving, hyperband, wilcoxon "
        "(compares replicates, from --replicates 5 on) or none."
    ),
]
FidelityOption = Annotated[
    str,
    typer.Option(
        help="What a trial gets more of while it is not pruned: epochs, or data (a training on "
        "a ninth of the examples, then one on a third, then one on all), which goes with "
        "--pruner median, successive-halving or hyperband."
    ),
]
ReplicatesOption = Annotated[
    int,
    typer.Option(
        min=1,
        help="Trainings of a trial from different seeds, whose mean is its score; more than 1 "
        "need --pruner none, or --pruner wilcoxon and 5 at least.",
    ),
]
LatencyLimitOption = Annotated[
    str | None,
    typer.Option(
        help="Longest time of a forward pass, as a factor of the bare backbone's, e.g. 1.2x; "
        "predicted for proposals from one measurement of the modules, measured for finalists: "
        "one that is over it can't be the answer.",
        show_default=NO_LIMIT,
    ),
]
GammaOption = Annotated[
    list[float] | None,
    typer.Option(
        min=0,
        max=1,
        help="Strength of the discount near chosen connections in the greedy choices of "
        "gradient-guided and guided, 0 for none; may be given several times, 0.6 (the "
        "paper's) and 0 if not given.",
    ),
]
NoMapOption = Annotated[
    bool,
    typer.Option(
        "--no-map",
        help="Skip the proxy map, which takes a second on the embedded backbone and about a "
        "minute on wide ones, and all that goes by it: guided's beliefs, gradient-guided, the "
        "paper's greedy baseline, verdicts on proxies. Holds for the whole study.",
    ),
]
