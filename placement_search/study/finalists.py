"""The finals: the best layouts and the baselines retrained over fresh seeds, tested once."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import optuna

from placement_search.engine.engine import Engine
from placement_search.engine.in_turn import scored_in_turn
from placement_search.layout import parse_layout
from placement_search.modules import MODULE_TYPES
from placement_search.rounding import score_text
from placement_search.study import records
from placement_search.study.definition import StudyDefinition
from placement_search.study.front import pareto_front
from placement_search.study.gaps import gaps_of, keep_gap, read_gaps
from placement_search.study.progress import Progress
from placement_search.study.records import FINALIST, SEARCHED, StudyRecord, TrialRecord
from placement_search.study.retraining import retraining

REACH = 2
"""Proposals, in finalists, among which one is sought in the place of another that is too slow."""
NONE_IS_FAST = "no finalist is fast enough"
"""Why there is no answer where the limit on latency rules out all that were retrained."""
NONE_IS_SCORED = "no admitted finalist has scores of two seeds"
"""Why there is none where retrainings gave no score, or there was one seed of each."""


@dataclass(frozen=True, slots=True)
class Finals:
    """How finals are held.

    Args:
        asked: The study: its seed, how it trains, and whether replicates are paired.
        n_seeds: Fresh seeds per layout; the search's own score, which chose them, is not counted.
    """

    asked: StudyDefinition
    n_seeds: int


def choose_finalists(record: StudyRecord, n_finalists: int) -> list[TrialRecord]:
    """The best ``n_finalists`` trials that a sampler proposed, and every complete other one.

    Where the score is set against a cost the best ones are those on the Pareto front, as many
    along it as may take part, from the dearest to the cheapest.
    In the place of one that was measured to be too slow the next best takes part, as long as it is
    among twice as many. Whoever was a finalist when the study was smaller, or measurements fewer,
    stays one: the study's goal, which only grows once finals are held, gives all of them as many
    seeds. Each layout takes part once, so that the test split is read once for it with each seed.

    Args:
        record: The study.
        n_finalists: How many proposals.
    """
    proposed = [trial for trial in _by_worth(record, n_finalists) if trial.role == SEARCHED]
    given = [trial for trial in record.trials if trial.role != SEARCHED and trial.card]
    held = _tried(record)
    # Measured with all its seeds, so that whoever replaces it does not hang on an interruption.
    slow = [each for each in record.too_slow if held[each] >= record.goal.n_seeds]
    near = proposed[: REACH * n_finalists]
    best = [trial for trial in near if trial.layout_id not in slow][:n_finalists]
    former = [trial for trial in proposed if trial.layout_id in held and trial not in best]
    chosen = best + given + former
    first = {trial.layout_id: trial for trial in reversed(chosen)}
    return [trial for trial in chosen if first[trial.layout_id] is trial]


def _tried(record: StudyRecord) -> Counter[str]:
    """Seeds by layout id that a retraining has a score for, or can have none for."""
    done = {(final.layout_id, final.replicate) for final in record.finals}
    return Counter(layout_id for layout_id, _ in done | gaps_of(record.gaps, FINALIST).keys())


def further_finalists(
    record: StudyRecord, chosen: Sequence[TrialRecord], n_finalists: int
) -> list[TrialRecord]:
    """Who takes part beside those already chosen, now that their latency is known."""
    done = {trial.layout_id for trial in chosen}
    return [t for t in choose_finalists(record, n_finalists) if t.layout_id not in done]


def lacks_seeds(record: StudyRecord) -> bool:
    """Whether some layout due for the finals lacks seeds, as after an interruption.

    Seeds that gave no score are not lacking: they would give none again.
    """
    return n_missing_finals(record) > 0


def n_missing_finals(record: StudyRecord) -> int:
    """Retrainings that would complete the finals of the finalists as they are now."""
    held = _tried(record)
    due = choose_finalists(record, record.goal.n_finalists)
    return sum(max(0, record.goal.n_seeds - held[trial.layout_id]) for trial in due)


def why_unanswered(record: StudyRecord) -> str:
    """Why a study has no answer though an admitted trial is complete."""
    is_any_slow = any(record.trial_of(each).is_eligible for each in record.too_slow)
    if lacks_seeds(record) or not (record.finals or record.gaps):
        return "finals were not held or are not complete"
    return NONE_IS_FAST if is_any_slow else NONE_IS_SCORED


def _by_worth(record: StudyRecord, n: int) -> list[TrialRecord]:
    """The ranking; with a cost after ``n`` proposals along the front, and the rest of that."""
    cost = record.definition.cost
    if cost is None or not n:
        return record.ranking
    front = [t.number for t in reversed(pareto_front(record, cost)) if t.role == SEARCHED]
    step = max(1.0, (len(front) - 1) / max(1, n - 1))
    along = {front[round(place * step)] for place in range(min(n, len(front)))}
    # A sort leaves those that are alike in the order of the ranking.
    return sorted(record.ranking, key=lambda t: (t.number not in along, t.number not in front))


def run_finals(
    study: optuna.Study,
    finalists: Sequence[TrialRecord],
    finals: Finals,
    engine: Engine,
    progress: Progress,
) -> None:
    """Retrain every finalist with every seed, and keep each score card as soon as it is there.

    Score cards that the study holds already are not made again. A retraining without a usable
    score leaves a gap, which is kept, and a message; its finalist is judged by the others.
    """
    attributes = study.user_attrs
    held = {(f.layout_id, f.replicate) for f in records.read_finals(attributes)}
    held |= gaps_of(read_gaps(attributes), FINALIST).keys()
    due = [(trial, replicate) for trial in finalists for replicate in range(1, finals.n_seeds + 1)]
    open_ = [(t, r) for t, r in due if (t.layout_id, r) not in held]
    progress.start("finals", len(due), len(due) - len(open_))
    requests = [
        retraining(
            finals.asked,
            parse_layout(t.layout, MODULE_TYPES),
            replicate,
            t.training,
            # A limit is kept by the median over seeds: one measurement may be off.
            is_timed=replicate == 1 or finals.asked.max_latency is not None,
        )
        for t, replicate in open_
    ]

    keys = [f"{FINALIST}{trial.layout_id}/{replicate}" for trial, replicate in open_]

    def tell_gap(index: int, error: Exception) -> None:
        trial, replicate = open_[index]
        keep_gap(study, keys[index], error)
        progress.say(f"final: seed {replicate} of {trial.name} gave no score: {error}")

    for index, card in scored_in_turn(engine, requests, tell_gap):
        trial, replicate = open_[index]
        study.set_user_attr(keys[index], records.CARDS.dump_python(card, mode="json"))
        progress.advance(f"final: {score_text(card.score)}  seed {replicate} of {trial.name}")
    progress.finish()
