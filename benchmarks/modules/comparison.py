"""Each method in its paper's own placement, at its own size and at an equal budget.

The learning rate with the best validation score of one seed, then five seeds at that rate, the test
split read once by each.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.journal import append, read
from benchmarks.modules.entries import ENTRIES, FULL, HEAD, REFERENCE
from benchmarks.modules.page import Trained
from placement_search.backbones.settings import ModelSettings
from placement_search.engine.in_turn import scored_in_turn
from placement_search.engine.local_processes import LocalProcesses
from placement_search.evaluation.evaluate import Evaluation
from placement_search.evaluation.full_fine_tune import full_fine_tune
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.workbench import Workbench
from placement_search.layout import Layout
from placement_search.modules import count_parameters
from placement_search.study.search import load_bench
from placement_search.study.seeds import derive_seed
from placement_search.tasks.settings import DataSettings

SEED = 0
N_SEEDS = 5
RATES = (1e-3, 3e-3, 1e-2)
"""Learning rates, of which each method has its best by validation score."""
FULL_RATES = (1e-4, 3e-4, 1e-3)
"""The same for full fine-tuning."""


@dataclass(frozen=True, slots=True)
class Method:
    """One row of the page.

    Args:
        name: The method.
        size: ``own`` or ``equal``.
        layout: What is trained; None for full fine-tuning.
    """

    name: str
    size: str
    layout: Layout | None


def methods(bench: Workbench) -> Iterator[Method]:
    """All rows, on one backbone."""
    n_blocks, places = bench.backbone.facts.n_blocks, bench.backbone.places
    reference = next(entry for entry in ENTRIES if entry.name == REFERENCE)
    budget = count_parameters(reference.layout(n_blocks), places)
    yield Method(HEAD, "own", Layout())
    for entry in ENTRIES:
        own = entry.layout(n_blocks)
        yield Method(entry.name, "own", own)
        equal = entry.within(budget, n_blocks, places)
        if equal is not None and equal != own:
            yield Method(entry.name, "equal", equal)
    yield Method(FULL, "own", None)


class Comparison:
    """Trains the methods on one task, as far as its journal lacks them.

    Args:
        model: The backbone.
        data: The data.
        plan: How long and in which batches.
        journal: Of this task.
        workers: Processes.
    """

    def __init__(
        self,
        model: ModelSettings,
        data: DataSettings,
        plan: TrainingPlan,
        journal: Path,
        workers: int,
    ) -> None:
        self.task = Path(data.data).name
        self.plan = plan
        self._journal = journal
        self._workers = workers
        self._model = model
        self.bench = load_bench(model, data)
        self.rows = trained(journal)

    @property
    def hangs_on(self) -> dict[str, object]:
        """What the rows hang on, beside the methods."""
        return {
            "backbone": self.bench.backbone.facts.fingerprint,
            "data": self.bench.task.fingerprint,
            "plan": asdict(self.plan),
        }

    def run(self) -> None:
        """Train what is missing: first seed at all rates, then the others at the best."""
        known = list(methods(self.bench))
        self._train([(m, rate, 0) for m in known for rate in _rates(m)])
        self._train(
            [(m, self.best_rate(m.name, m.size), seed) for m in known for seed in range(1, N_SEEDS)]
        )

    def best_rate(self, name: str, size: str) -> float:
        """A method's rate whose first seed scored best on the validation split."""
        return max(self._firsts(name, size), key=lambda row: row.validation).rate

    def _firsts(self, name: str, size: str) -> list[Trained]:
        return [row for row in self.rows if (row.name, row.size, row.seed) == (name, size, 0)]

    def _train(self, wanted: Sequence[tuple[Method, float, int]]) -> None:
        held = {(row.name, row.size, row.rate, row.seed) for row in self.rows}
        missing = [w for w in wanted if (w[0].name, w[0].size, w[1], w[2]) not in held]
        for method, rate, seed in (w for w in missing if w[0].layout is None):
            plan = replace(self.plan, learning_rate=rate)
            card = full_fine_tune(self.bench, plan, derive_seed(SEED, FULL, seed), is_final=True)
            self._keep(Trained.of(self.task, method.name, method.size, "", rate, seed, card))
        adapted = [
            (method, rate, seed, method.layout)
            for method, rate, seed in missing
            if method.layout is not None
        ]
        requests = [
            Evaluation(
                layout,
                derive_seed(SEED, layout.id, seed),
                replace(self.plan, learning_rate=rate),
                is_final=True,
            )
            for _, rate, seed, layout in adapted
        ]
        if not requests:
            return

        def tell_gap(index: int, error: Exception) -> None:
            method, rate, *_ = adapted[index]
            print(f"{method.name} at {rate:g} gave no score: {error}")

        with closing(LocalProcesses(self.bench, self._model, self._workers, 1)) as engine:
            for index, card in scored_in_turn(engine, requests, tell_gap):
                method, rate, seed, layout = adapted[index]
                own = layout.notation
                self._keep(Trained.of(self.task, method.name, method.size, own, rate, seed, card))

    def _keep(self, row: Trained) -> None:
        self.rows.append(row)
        append(self._journal, asdict(row))
        print(
            f"{row.task}: {row.name} ({row.size}), rate {row.rate:g}, seed {row.seed}: "
            f"{row.validation:.4f}", flush=True,
        )  # fmt: skip


def _rates(method: Method) -> Sequence[float]:
    return FULL_RATES if method.layout is None else RATES


def trained(journal: Path) -> list[Trained]:
    """The rows of a journal."""
    return [Trained(**line) for line in read(journal)]
