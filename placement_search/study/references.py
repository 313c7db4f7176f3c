"""References: what the answer is compared with and that can't be the answer itself.

Random layouts of exactly the answer's size, drawn once it is known, and the whole backbone
fine-tuned, as a ceiling. Each training is kept as soon as it is there, so that an interruption
loses no more than the running ones.
"""

import itertools
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import optuna

from placement_search.engine.engine import Engine
from placement_search.engine.in_turn import NO_SCORE, scored_in_turn
from placement_search.evaluation.score_card import ScoreCard
from placement_search.layout import Layout, ModuleSpec, parse_layout
from placement_search.modules import MODULE_TYPES
from placement_search.rounding import score_text
from placement_search.space.moves import drawn_apart
from placement_search.space.node_names import Pair
from placement_search.space.place_classes import misfit
from placement_search.space.search_space import SearchSpace
from placement_search.space.training import NO_CHOICE, TrainingChoice
from placement_search.study import records
from placement_search.study.answer import find_answer
from placement_search.study.definition import StudyDefinition
from placement_search.study.gaps import keep_gap, read_gaps
from placement_search.study.progress import Progress
from placement_search.study.random_gain import (
    Size,
    is_random,
    random_baselines,
    reads_alike,
    size_of,
)
from placement_search.study.records import (
    FULL_FINE_TUNING,
    ReferenceRecord,
    StudyRecord,
    TrialRecord,
)
from placement_search.study.retraining import retraining
from placement_search.study.seeds import derive_seed
from placement_search.study.transfers import find_transfers

LEARNING_RATES = (3e-5, 1e-4, 3e-4, 1e-3)
"""Peaks for the whole backbone, chosen from by validation score: an adapter's would wreck it."""


N_DRAWN = 1000
"""Draws before a space counts as having no more layouts of a size."""

Trained = tuple[str, TrainingChoice, int]
"""A layout's notation, how it is trained, and the replicate."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Which training this is; see `ReferenceRecord`."""

    role: str
    replicate: int
    layout: str = ""
    like: str = ""
    training: TrainingChoice = NO_CHOICE

    @property
    def key(self) -> str:
        """Where the study keeps it."""
        return f"{records.REFERENCE}{self.role}/{self.like}/{self.replicate}"

    @property
    def title(self) -> str:
        """What it is called where progress is told."""
        return f"reference: seed {self.replicate} of {self.role}"


class References:
    """Makes the reference trainings of a study.

    Args:
        study: Keeps them.
        engine: Trains.
        space: Whose pairs random layouts connect.
        progress: Who is told.
    """

    def __init__(
        self, study: optuna.Study, engine: Engine, space: SearchSpace, progress: Progress
    ) -> None:
        self._study = study
        self._engine = engine
        self._space = space
        self._progress = progress
        self._fitting_of: dict[ModuleSpec, Sequence[Pair]] = {}

    def run(self, record: StudyRecord) -> None:
        """Make what is missing for the study's answer, and for the layouts that it started from."""
        due = self._due(record)
        answer = find_answer(record)
        n_seeds = record.goal.n_seeds
        is_full = answer is not None and record.goal.full_fine_tuning
        n_full = len(LEARNING_RATES) + n_seeds if is_full else 0
        n_random = sum(map(len, due.values())) * n_seeds
        if not n_random + n_full:
            return
        self._progress.start("references", n_random + n_full)
        for like, drawn in due.items():
            self._run_random(record, record.trial_of(like), drawn)
        if is_full:
            self._run_full(record)
        self._progress.finish()

    def _due(self, record: StudyRecord) -> dict[str, list[Layout]]:
        """Random layouts by the id of the layout whose size they have.

        For the answer and for each layout from elsewhere that was retrained. Random baselines with
        its modules and its training, or what was drawn for another one, count as its own; only what
        is missing to as many as the study has random baselines is drawn; where the space has fewer
        the study keeps how many. An answer that is a random baseline itself has all of them drawn,
        see `random_gain`.
        """
        answer = find_answer(record)
        ours = [answer.chosen.trial] if answer else []
        starts = [t.finalist.trial for t in find_transfers(record) if t.finalist]
        due: dict[str, list[Layout]] = {}
        new: dict[Size, list[Layout]] = {}
        # The answer may be a layout from elsewhere, and one may come from several studies.
        for trial in {each.layout_id: each for each in ours + starts}.values():
            layout = parse_layout(trial.layout, MODULE_TYPES)
            size = size_of(trial)
            baselines = [] if trial in ours and is_random(trial) else random_baselines(record)
            others = new.setdefault(size, [])
            known = _held_of_its_size(record, trial, baselines)
            known |= {o.id for o in others if reads_alike(o.notation, trial.layout)}
            if layout.connections and len(known) < record.definition.n_random:
                drawn = self._draw(record, layout, known)
                if (n := len(known) + len(drawn)) < record.definition.n_random:
                    self._study.set_user_attr(f"{records.ALIKE}{trial.layout_id}", n)
                due[trial.layout_id] = drawn
                others += drawn
        return due

    def _draw(self, record: StudyRecord, layout: Layout, known: set[str]) -> list[Layout]:
        """Different random layouts with the modules of ``layout``, one for one, and not itself.

        Fewer than the study's random baselines where the space has no more, and by those that are
        ``known`` already.
        """
        asked, n_missing = record.definition, record.definition.n_random - len(known)
        generator = random.Random(derive_seed(asked.seed, "alike", layout.id))  # noqa: S311
        drawn: dict[str, Layout] = {}
        if len(layout.connections) > len(self._space.pairs):
            return []
        for _ in range(N_DRAWN):
            if len(drawn) >= n_missing:
                break
            made = self._shuffled(layout, generator)
            if made and made.id not in {layout.id, *known}:
                drawn.setdefault(made.id, made)
        return list(drawn.values())

    def _shuffled(self, layout: Layout, generator: random.Random) -> Layout | None:
        """Its modules at random places that they fit; None where the space forbids these places."""
        if self._space.contains(layout):
            return self._space.shuffled(layout, generator)
        # A layout from elsewhere: its own modules or connections, too many of them, or too dear.
        modules = [connection.module for connection in layout.connections]
        fitting = [self._fitting(module) for module in modules]
        if all(len(each) == len(self._space.pairs) for each in fitting):
            pairs: list[Pair] | None = generator.sample(self._space.pairs, len(modules))
        else:
            pairs = drawn_apart(fitting, generator)
        if pairs is None:
            return None
        made = self._space.layout(pairs, modules)
        return replace(made, first_pass=layout.first_pass) if layout.is_recurrent else made

    def _fitting(self, module: ModuleSpec) -> Sequence[Pair]:
        """The space's connections that a module fits, the space's own or not."""
        if module not in self._fitting_of:
            places = self._space.places
            self._fitting_of[module] = [
                pair
                for pair in self._space.pairs
                if not misfit(module, MODULE_TYPES, places.at(*pair))
            ]
        return self._fitting_of[module]

    def _run_random(self, record: StudyRecord, like: TrialRecord, drawn: Sequence[Layout]) -> None:
        """Train every layout as the other one was, from as many seeds as the finals have."""
        asked = record.definition
        due = [
            (Reference(role, replicate, layout.notation, like.layout_id, like.training), layout)
            for role, layout in _named(drawn, record, like.layout_id)
            for replicate in range(1, record.goal.n_seeds + 1)
        ]
        known = _known_cards(record)
        missing = [
            (reference, layout) for reference, layout in due if not self._has(reference, known)
        ]
        requests = [
            retraining(asked, layout, reference.replicate, like.training)
            for reference, layout in missing
        ]

        def tell_gap(index: int, error: Exception) -> None:
            self._tell_gap(missing[index][0], error)

        for index, card in scored_in_turn(self._engine, requests, tell_gap):
            self._keep(missing[index][0], card)

    def _run_full(self, record: StudyRecord) -> None:
        """Each learning rate from one seed, then the best one from as many as the finals have."""
        asked = record.definition
        cards = {
            rate: self._fully(asked, Reference(f"{FULL_FINE_TUNING} at {rate:g}", 0), rate)
            for rate in LEARNING_RATES
        }
        scores = {rate: asked.sign * card.score for rate, card in cards.items() if card}
        if not scores:
            return
        best = max(scores, key=scores.__getitem__)
        for replicate in range(1, record.goal.n_seeds + 1):
            self._fully(asked, Reference(FULL_FINE_TUNING, replicate), best)

    def _fully(self, asked: StudyDefinition, reference: Reference, rate: float) -> ScoreCard | None:
        """The score card of the whole backbone, trained where the study does not hold it."""
        held = self._held(reference)
        if held is not None or self._is_gap(reference):
            return held
        seed = derive_seed(asked.seed, FULL_FINE_TUNING, reference.replicate)
        plan = replace(asked.training, learning_rate=rate)
        try:
            card = self._engine.run_fully(plan, seed, is_final=reference.replicate > 0)
        except NO_SCORE as error:
            self._tell_gap(reference, error)
            return None
        self._keep(reference, card)
        return card

    def _has(self, reference: Reference, known: Mapping[Trained, ScoreCard]) -> bool:
        """Whether the study holds this training, in whatever role; it then has this role too."""
        if self._held(reference) or self._is_gap(reference):
            return True
        card = known.get((reference.layout, reference.training, reference.replicate))
        if card is None:
            return False
        self._keep(reference, card)
        return True

    def _held(self, reference: Reference) -> ScoreCard | None:
        """The score card that the study holds already."""
        stored = self._study.user_attrs.get(reference.key)
        if stored is None:
            return None
        self._progress.advance(f"{reference.title} stands in the study")
        return records.REFERENCES.validate_python(stored).card

    def _is_gap(self, reference: Reference) -> bool:
        """Whether it gave no score before."""
        return reference.key in read_gaps(self._study.user_attrs)

    def _tell_gap(self, reference: Reference, error: Exception) -> None:
        keep_gap(self._study, reference.key, error)
        self._progress.say(f"{reference.title} gave no score: {error}")

    def _keep(self, reference: Reference, card: ScoreCard) -> None:
        """Store a score card."""
        held = ReferenceRecord(
            reference.role,
            reference.layout,
            reference.like,
            reference.replicate,
            card,
            reference.training,
        )
        dumped = records.REFERENCES.dump_python(held, mode="json")
        self._study.set_user_attr(reference.key, dumped)
        self._progress.advance(f"{reference.title}: {score_text(card.score)}")


def _held_of_its_size(
    record: StudyRecord, trial: TrialRecord, baselines: Sequence[TrialRecord]
) -> set[str]:
    """Ids of the random layouts with a trial's modules and training that the study holds tested.

    Those of the baselines, and what was drawn for other layouts and has all its seeds: what was
    drawn for this one is drawn again, and trained as far as an interruption left it.
    """
    size = size_of(trial)
    tested = {f.layout_id for f in record.finals if f.card.test_score is not None}
    found = [t.layout for t in baselines if t.layout_id in tested and size_of(t) == size]
    # One that was taken over for several layouts is one training.
    drawn = {
        (r.layout, r.replicate)
        for r in record.references
        if r.layout and r.like != trial.layout_id and size_of(r) == size
    }
    others = Counter(layout for layout, _ in drawn)
    found += [layout for layout, n_seeds in others.items() if n_seeds >= record.goal.n_seeds]
    alike = [layout for layout in found if reads_alike(layout, trial.layout)]
    ids = {parse_layout(layout, MODULE_TYPES).id for layout in alike}
    return ids - {parse_layout(trial.layout, MODULE_TYPES).id}


def _named(drawn: Sequence[Layout], record: StudyRecord, like: str) -> Iterator[tuple[str, Layout]]:
    """Layouts drawn for another one with their roles: those that they have, then new ones."""
    roles = {r.layout: r.role for r in record.references if r.layout and r.like == like}
    numbers = (f"random layout of the same size {index}" for index in itertools.count(1))
    new = (role for role in numbers if role not in roles.values())
    for layout in drawn:
        yield roles.get(layout.notation) or next(new), layout


def _known_cards(record: StudyRecord) -> dict[Trained, ScoreCard]:
    """Score cards that the study holds; none of them is made twice."""
    trained = {trial.layout_id: (trial.layout, trial.training) for trial in record.trials}
    return {(r.layout, r.training, r.replicate): r.card for r in record.references if r.layout} | {
        (*trained[final.layout_id], final.replicate): final.card for final in record.finals
    }
