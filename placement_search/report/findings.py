"""What a report says, gathered once from a study's record."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from placement_search.backbones.nodes import Node, nodes_of
from placement_search.errors import ReportError
from placement_search.layout import Layout, parse_layout
from placement_search.modules import MODULE_TYPES
from placement_search.study.answer import Answer, Finalist, find_answer, read_finalists
from placement_search.study.correlations import ProxyCorrelation, proxy_correlations
from placement_search.study.finalists import lacks_seeds
from placement_search.study.records import ReferenceRecord, StudyRecord, TrialEnd, TrialRecord
from placement_search.study.transfers import Transfer, find_transfers

WITH_REASON = (TrialEnd.FAILED, TrialEnd.INFEASIBLE)


@dataclass(frozen=True, slots=True)
class MeasuredConnection:
    """What the trials say of one pair of nodes.

    Args:
        source: Node that is read.
        target: Node that is added to.
        mean_score: Mean validation score of the admitted complete trials that connect the two.
        n_trials: How many those are, at least 1.
    """

    source: int
    target: int
    mean_score: float
    n_trials: int


@dataclass(frozen=True, slots=True)
class RankedTrial:
    """A trial with its place; None for one that is not complete."""

    rank: int | None
    trial: TrialRecord


@dataclass(frozen=True, slots=True)
class Findings:
    """A study's record and what follows from it.

    Args:
        record: The study.
        answer: What the finals recommend, from layouts with at least two seeds, since fewer give
            no interval; None before any admitted layout has them.
        finalists: All retrained layouts, best mean validation score first.
        correlations: How well each proxy predicted the scores.
        trials: All trials: complete ones by rank, then the others by number.
        measured: By source, then target.
        transfers: How layouts from elsewhere did.
    """

    record: StudyRecord
    answer: Answer | None
    finalists: tuple[Finalist, ...]
    correlations: tuple[ProxyCorrelation, ...]
    trials: tuple[RankedTrial, ...]
    measured: tuple[MeasuredConnection, ...]
    transfers: tuple[Transfer, ...] = ()

    @property
    def data_name(self) -> str:
        """The data as the user named them, with their configuration."""
        data = self.record.definition.data
        return ", ".join(part for part in (data.data, data.config) if part)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes of the backbone's residual stream, in words."""
        backbone = self.record.definition.backbone
        return nodes_of(backbone.n_blocks, backbone.sublayers)

    @property
    def n_nodes(self) -> int:
        """Nodes of the backbone's residual stream."""
        return self.record.definition.backbone.n_nodes

    @property
    def recommended(self) -> TrialRecord | None:
        """The answer's trial, the incumbent before the finals, None where there is neither."""
        return self.answer.chosen.trial if self.answer else self.record.incumbent

    @property
    def layout(self) -> Layout:
        """The recommended layout; the empty one where nothing is recommended."""
        return layout_of(self.recommended) if self.recommended else Layout()

    @property
    def layout_name(self) -> str:
        """What to call that layout."""
        return "recommended layout" if self.answer else "incumbent"

    @property
    def has_incomplete_finals(self) -> bool:
        """Whether some layout due for the finals lacks seeds, as after an interruption."""
        return lacks_seeds(self.record)

    @property
    def own_references(self) -> list[ReferenceRecord]:
        """References that were trained as such, not taken over from the finals or from another."""
        known = {(final.layout_id, final.replicate) for final in self.record.finals}
        first: dict[tuple[str, int], ReferenceRecord] = {}
        for each in self.record.references:
            trained = each.training.id_with(layout_of(each).id) if each.layout else each.role
            first.setdefault((trained, each.replicate), each)
        return [each for key, each in first.items() if key not in known]

    @property
    def n_test_reads(self) -> int:
        """How often the test split was read: once for each layout and seed, and no more."""
        finals, again = self.record.finals, self.record.confirmations
        cards = [each.card for each in (*finals, *again)]
        cards += [each.card for each in self.own_references]
        return sum(card.test_score is not None for card in cards)

    @property
    def failures(self) -> list[TrialRecord]:
        """The trials that ended with a reason, by number."""
        return [trial for trial in self.record.trials if trial.end in WITH_REASON]


def gather_findings(record: StudyRecord) -> Findings:
    """Everything that the report's files show.

    Raises:
        ReportError: If the study has no complete trial.
    """
    if not record.ranking:
        raise ReportError(
            f"study {record.name!r} has no complete trial yet, so there is nothing to report; "
            f"continue it with: {record.command}"
        )
    return Findings(
        record=record,
        answer=find_answer(record),
        finalists=tuple(read_finalists(record)),
        correlations=tuple(proxy_correlations(record)),
        trials=tuple(_ranked(record)),
        measured=tuple(measure_connections(record.trials)),
        transfers=tuple(find_transfers(record)),
    )


def layout_of(trial: TrialRecord | ReferenceRecord) -> Layout:
    """A trial's or a reference's layout, read from its notation."""
    return parse_layout(trial.layout, MODULE_TYPES)


def measure_connections(trials: Sequence[TrialRecord]) -> list[MeasuredConnection]:
    """The mean score of each pair of nodes over the admitted complete trials that connect it.

    A mean over layouts that hold other connections too, so not the effect of this one alone.
    """
    scores: dict[tuple[int, int], list[float]] = {}
    for trial in trials:
        if trial.score is not None and trial.is_eligible:
            for pair in {(c.source, c.target) for c in layout_of(trial).connections}:
                scores.setdefault(pair, []).append(trial.score)
    return [
        MeasuredConnection(source, target, statistics.fmean(found), len(found))
        for (source, target), found in sorted(scores.items())
    ]


def reason_line(reason: str, limit: int = 160) -> str:
    """The telling line of a reason: the last one of a traceback, else the first; capped."""
    lines = [line.strip() for line in reason.splitlines() if line.strip()] or ["no reason given"]
    line = lines[-1] if lines[0].startswith("Traceback") else lines[0]
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _ranked(record: StudyRecord) -> list[RankedTrial]:
    complete = [RankedTrial(rank, trial) for rank, trial in enumerate(record.ranking, start=1)]
    others = [RankedTrial(None, trial) for trial in record.trials if trial.card is None]
    return complete + others
