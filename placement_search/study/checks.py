"""What can be said of a search's settings, before and after model and data are loaded."""

import sys
from collections.abc import Collection

from optuna.study import StudyDirection

from placement_search.errors import StudyError, did_you_mean
from placement_search.space.encoding import Encoding
from placement_search.space.file import read_space
from placement_search.space.search_space import SearchSpace
from placement_search.study.course import FIDELITIES, Course
from placement_search.study.objective import parse_objective
from placement_search.study.pruners import PRUNERS
from placement_search.study.samplers import (
    NEED_PROXIES,
    NEED_SWITCHES,
    ONE_OBJECTIVE,
    SAMPLERS,
)
from placement_search.study.samplers.sampler import Setting
from placement_search.study.settings import SearchSettings
from placement_search.study.spaces import study_budget
from placement_search.study.storage import check_place, quiet_optuna
from placement_search.study.switches import check_switches


def check_settings(settings: SearchSettings) -> None:
    """Check what needs neither model nor data: names, limits, the space file, the storage's place.

    Raises:
        PlacementSearchError: For the first that is wrong.
    """
    _check_known("--sampler", settings.sampler, SAMPLERS)
    _check_known("--pruner", settings.pruner, PRUNERS)
    _check_known("--fidelity", settings.fidelity, FIDELITIES)
    parse_objective(settings.objective)
    Course(settings.training, settings.fidelity, settings.replicates).check(settings.pruner)
    _check_sampler_goes_with(settings)
    read_space(settings.space)
    # How much a share is depends on the backbone, and whether it is one does not.
    study_budget(settings, n_backbone=sys.maxsize)
    check_place(settings.storage)


def check_sampler(settings: SearchSettings, space: SearchSpace) -> None:
    """Check that the sampler can work on the space, before anything is written.

    Raises:
        StudyError: If it can't.
    """
    if settings.sampler in NEED_SWITCHES:
        check_switches(space, is_mapped=settings.proxy_map)
    setting = Setting(Encoding(space), settings.seed, (StudyDirection.MAXIMIZE,))
    with quiet_optuna():
        SAMPLERS[settings.sampler](setting)


def _check_sampler_goes_with(settings: SearchSettings) -> None:
    """Check that the sampler has what it needs of the other settings.

    Raises:
        StudyError: If it has not.
    """
    if settings.sampler in NEED_PROXIES and not settings.proxy_map:
        raise StudyError(
            f"--sampler {settings.sampler} goes by the proxy map, which --no-map leaves out; "
            "drop one of them"
        )
    if settings.sampler in ONE_OBJECTIVE and parse_objective(settings.objective):
        raise StudyError(
            f"--sampler {settings.sampler} looks for the best score alone, got --objective "
            f"{settings.objective!r}; take another sampler, or --objective score"
        )


def _check_known(option: str, name: str, known: Collection[str]) -> None:
    names = sorted(known)
    if name not in names:
        raise StudyError(
            f"{option} takes one of {', '.join(names)}; got {name!r}{did_you_mean(name, names)}"
        )
