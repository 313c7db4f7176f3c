"""The answer trained again once it is chosen, from seeds that took no part in choosing it.

It is the best of many by scores of its finals. Part of that is the luck of these trainings, which
their test scores share, so a comparison by them flatters it. Trainings after the choice do not.
"""

import optuna

from placement_search.engine.engine import Engine
from placement_search.engine.in_turn import scored_in_turn
from placement_search.layout import parse_layout
from placement_search.modules import MODULE_TYPES
from placement_search.rounding import score_text
from placement_search.study import records
from placement_search.study.answer import find_answer, unconfirmed_seeds
from placement_search.study.gaps import keep_gap
from placement_search.study.progress import Progress
from placement_search.study.records import StudyRecord
from placement_search.study.retraining import confirming


def confirm_answer(
    study: optuna.Study, record: StudyRecord, engine: Engine, progress: Progress
) -> None:
    """Train the study's answer from as many new seeds as its finals had, and keep each score card.

    Those that the study holds already are not made again. A training without a usable score leaves
    a gap, which is kept, and a message.

    Args:
        study: Keeps them.
        record: The same, after its finals.
        engine: Trains.
        progress: Who is told.
    """
    answer = find_answer(record)
    if answer is None:
        return
    trial, n_seeds = answer.chosen.trial, record.goal.n_seeds
    missing = unconfirmed_seeds(record, trial)
    if not missing:
        return
    progress.start("the answer again", n_seeds, n_seeds - len(missing))
    layout = parse_layout(trial.layout, MODULE_TYPES)
    requests = [
        confirming(record.definition, layout, replicate, trial.training) for replicate in missing
    ]

    keys = [f"{records.CONFIRMATION}{trial.layout_id}/{replicate}" for replicate in missing]

    def tell_gap(index: int, error: Exception) -> None:
        keep_gap(study, keys[index], error)
        progress.say(f"the answer again: seed {missing[index]} gave no score: {error}")

    for index, card in scored_in_turn(engine, requests, tell_gap):
        study.set_user_attr(keys[index], records.CARDS.dump_python(card, mode="json"))
        progress.advance(f"the answer again: {score_text(card.score)}  seed {missing[index]}")
    progress.finish()
