"""The finals: the best layouts and the baselines retrained over fresh seeds, tested once."""

from collections.abc import Sequence
from dataclasses import dataclass

import optuna

from placement_search.engine.engine import Engine
from placement_search.engine.in_turn import NO_SCORE, in_turn
from placement_search.evaluation.evaluate import Evaluation
from placement_search.evaluation.plan import TrainingPlan
from placement_search.layout import parse_layout
from placement_search.modules import MODULE_TYPES
from placement_search.study import records
from placement_search.study.progress import Progress
from placement_search.study.records import StudyRecord, TrialRecord
from placement_search.study.seeds import derive_seed


@dataclass(frozen=True, slots=True)
class Finals:
    """How finals are held.

    Args:
        n_finalists: Layouts of the search that take part, beside the baselines.
        n_seeds: Fresh seeds per layout; the search's own score, which chose them, is not counted.
        seed: The study's seed.
        plan: How they are trained, the same as in the search, with each trial's own settings.
    """

    n_finalists: int
    n_seeds: int
    seed: int
    plan: TrainingPlan


def choose_finalists(record: StudyRecord, n_finalists: int) -> list[TrialRecord]:
    """The best ``n_finalists`` trials that a sampler proposed, and every complete baseline."""
    proposed = [trial for trial in record.ranking if not trial.is_baseline]
    baselines = [trial for trial in record.trials if trial.is_baseline and trial.card]
    return proposed[:n_finalists] + baselines


def run_finals(
    study: optuna.Study,
    finalists: Sequence[TrialRecord],
    finals: Finals,
    engine: Engine,
    progress: Progress,
) -> None:
    """Retrain every finalist with every seed, and keep each score card as soon as it is there.

    Score cards that the study holds already are not made again. A retraining without a usable
    score leaves a gap and a message; its finalist is judged by the others.
    """
    held = {(f.layout_id, f.replicate) for f in records.read_finals(study.user_attrs)}
    due = [(trial, replicate) for trial in finalists for replicate in range(1, finals.n_seeds + 1)]
    open_ = [(t, r) for t, r in due if (t.layout_id, r) not in held]
    progress.start("finals", len(due), len(due) - len(open_))
    requests = [_request(trial, replicate, finals) for trial, replicate in open_]
    for index, outcome in in_turn(engine, requests):
        trial, replicate = open_[index]
        what = trial.role if trial.is_baseline else trial.layout
        if isinstance(outcome, NO_SCORE):
            progress.say(f"final: seed {replicate} of {what} gave no score: {outcome}")
            continue
        if isinstance(outcome, Exception):
            raise outcome
        key = f"{records.FINALIST}{trial.layout_id}/{replicate}"
        study.set_user_attr(key, records.CARDS.dump_python(outcome, mode="json"))
        progress.advance(f"final: {outcome.score:.4f}  seed {replicate} of {what}")
    progress.finish()


def _request(trial: TrialRecord, replicate: int, finals: Finals) -> Evaluation:
    layout = parse_layout(trial.layout, MODULE_TYPES)
    seed = derive_seed(finals.seed, layout.id, replicate)
    plan = finals.plan.with_choice(trial.training)
    return Evaluation(layout, seed, plan, is_final=True, is_timed=replicate == 1)
