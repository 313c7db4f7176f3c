"""The samplers, one line each."""

import warnings
from collections.abc import Mapping
from functools import partial

from optuna.exceptions import ExperimentalWarning
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GPSampler,
    NSGAIISampler,
    QMCSampler,
    RandomSampler,
)

from placement_search.study.samplers.brute_force import BruteForce
from placement_search.study.samplers.generations import GenerationalSampler
from placement_search.study.samplers.gradient_guided import GradientGuided
from placement_search.study.samplers.guided import Guided
from placement_search.study.samplers.optuna_samplers import (
    OptunaSampler,
    ReckoningSampler,
    WholeSpaceTPE,
)
from placement_search.study.samplers.sampler import MakeSampler
from placement_search.study.samplers.switch import KeptBySwitches

N_STARTUP = 8
"""Random layouts before a model of Optuna's is trusted."""
POPULATION = 16
"""Layouts of a generation: searches are short."""


def _quasi_random(seed: int) -> BaseSampler:
    """Scrambled Sobol points; that Optuna calls the sampler experimental is no news to a user."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return QMCSampler(seed=seed, scramble=True, warn_independent_sampling=False)


SAMPLERS: Mapping[str, MakeSampler] = {
    "guided": Guided,
    "gradient-guided": GradientGuided,
    "random": partial(OptunaSampler, make=lambda seed: RandomSampler(seed=seed)),
    "tpe": partial(
        OptunaSampler,
        make=lambda seed: WholeSpaceTPE(seed=seed, n_startup_trials=N_STARTUP, multivariate=True),
    ),
    "gp": partial(
        ReckoningSampler, make=lambda seed: GPSampler(seed=seed, n_startup_trials=N_STARTUP)
    ),
    "cma-es": partial(
        GenerationalSampler,
        make=lambda seed: CmaEsSampler(
            seed=seed,
            n_startup_trials=N_STARTUP,
            warn_independent_sampling=False,
        ),
    ),
    "nsga-ii": partial(
        GenerationalSampler,
        make=lambda seed: NSGAIISampler(seed=seed, population_size=POPULATION),
    ),
    "qmc": partial(
        GenerationalSampler,
        make=_quasi_random,
    ),
    "switch": KeptBySwitches,
    "brute-force": BruteForce,
}
"""What ``--sampler`` takes."""
VERSIONS: Mapping[str, int] = {"guided": 4, "gradient-guided": 4, "gp": 2, "switch": 2}
"""Counts up whenever a sampler proposes otherwise for the same question; those unnamed have 1."""
RULED_VERSIONS: Mapping[str, int] = {
    **{name: VERSIONS.get(name, 1) + 1 for name in SAMPLERS},
    "guided": 6, "gradient-guided": 6, "switch": 4,
}  # fmt: skip
"""Those where a space is ruled, see `Choices.is_ruled`; what numbers mean there changed, too."""
NEED_PROXIES = frozenset({"gradient-guided"})
"""Samplers that are nothing without a proxy map."""
NEED_SWITCHES = frozenset({"switch"})
"""Samplers that go by switches, which are trained before them."""
ONE_OBJECTIVE = frozenset({"cma-es"})
"""Samplers that can't set a score against a cost."""


def version_of(name: str, *, is_ruled: bool = False) -> int:
    """The version of a sampler in a space that is ruled or not; see `VERSIONS`."""
    versions = {**VERSIONS, **RULED_VERSIONS} if is_ruled else VERSIONS
    return versions.get(name, 1)
