"""Where a search finds its study: made where there is none, checked to be the same where one is."""

from collections.abc import Sequence

import optuna
from optuna.samplers import RandomSampler
from optuna.study import StudyDirection

from placement_search.errors import StudyError
from placement_search.study import records
from placement_search.study.command import Goal
from placement_search.study.definition import StudyDefinition, package_versions
from placement_search.study.ledger import n_held
from placement_search.study.search_budget import spent_on, spent_until_now
from placement_search.study.settings import SearchSettings
from placement_search.study.storage import open_storage
from placement_search.study.switch_record import read_switches


def open_study(
    settings: SearchSettings, definition: StudyDefinition, notes: Sequence[str]
) -> optuna.Study:
    """The study of this name, made where it is new, checked to be the same where it is not.

    Args:
        settings: What is asked for.
        definition: What it means.
        notes: How the data are read.

    Raises:
        StudyError: If there is a study of this name that is another one.
    """
    storage = open_storage(settings.storage, must_exist=False)
    name = settings.resolved_name
    up = StudyDirection.MAXIMIZE if definition.is_higher_better else StudyDirection.MINIMIZE
    directions = [up, StudyDirection.MINIMIZE] if definition.cost else [up]
    study = optuna.create_study(
        study_name=name,
        storage=storage,
        directions=directions,
        sampler=RandomSampler(seed=0),
        load_if_exists=True,
    )
    if records.DEFINITION in study.user_attrs:
        definition = same_definition(study, definition)
    elif study.get_trials(deepcopy=False):
        raise StudyError(f"study {name!r} was not made by placement-search; choose another name")
    elif study.directions != directions:
        raise StudyError(
            f"study {name!r} is empty and was made to {_listed(study.directions)}, this search "
            f"has to {_listed(directions)}; choose another name"
        )
    else:
        study.set_user_attr(records.PROVENANCE, package_versions())
        study.set_user_attr(records.NOTES, list(notes))
    goal = Goal.of(settings)
    if (stored := study.user_attrs.get(records.GOAL)) is not None:
        former = records.GOALS.validate_python(stored)
        # More trials or finals count once they are there: a mistyped search may be stopped.
        are_held = bool(records.read_finals(study.user_attrs))
        trials, switches = study.get_trials(deepcopy=False), read_switches(study.user_attrs)
        n, spent = n_held(trials), spent_until_now(trials, spent_on(switches))
        made = goal.going_on(former, n_trials=n, n_steps=spent.n_steps, seconds=spent.seconds)
        goal = made.with_finals_of(former if are_held else goal)
    keep_goal(study, goal)
    # Last, since by it readers know a study. Where model, data and files lie may have changed.
    study.set_user_attr(records.DEFINITION, definition.as_json())
    return study


def _listed(directions: Sequence[StudyDirection]) -> str:
    return " and ".join(direction.name.lower() for direction in directions)


def keep_goal(study: optuna.Study, goal: Goal) -> None:
    """Write down what a study is to reach."""
    study.set_user_attr(records.GOAL, records.GOALS.dump_python(goal, mode="json"))


def same_definition(study: optuna.Study, asked: StudyDefinition) -> StudyDefinition:
    """What is asked for, with what only the study's maker chose.

    Raises:
        StudyError: If the study was made with other settings.
    """
    held = records.read_definition(study)
    definition = asked.kept(held)
    held.check_same(definition, study.study_name)
    return definition
