"""Several trainings that share every pass of the backbone, each as if it were alone.

Each member has its own examples in every step, its own loss, its own place in the schedule; one
backward pass and one optimizer step serve all. Members join between epochs and leave after any
report. No member's numbers depend on the others: their rows never mix, and batches of one epoch
have the same shapes as those of any other.
"""

import math
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from placement_search.adapted.batches import Batch
from placement_search.errors import EvaluationError
from placement_search.evaluation.member import Member
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.workbench import Split, Workbench
from placement_search.profile import Work

JointLogits = Callable[[Sequence[nn.Module], Split, Sequence[Batch]], list[Tensor]]
"""What each model gives for a batch of its own from a split: shape ``(batch, n_outputs)`` each."""

BATCH_ON_CPU, BATCH_ON_ACCELERATORS = 64, 512
"""Examples that are scored in one pass: caches are small, and graphics cards want to be filled."""


class Population:
    """Trains its members, all to their next report at a time.

    Args:
        bench: Training and validation split, loss and metric.
        logits: What models give.
    """

    def __init__(self, bench: Workbench, logits: JointLogits) -> None:
        self.members: list[Member] = []
        self._bench = bench
        self._logits = logits
        self._ahead: list[list[list[Batch]]] = []
        # Members' groups come after one without parameters, which an optimizer needs to exist.
        self._optimizer = torch.optim.AdamW([{"params": []}], fused=True)

    @property
    def is_between_epochs(self) -> bool:
        """Whether others may join."""
        return not any(self._ahead)

    def join(
        self,
        model: nn.Module,
        plan: TrainingPlan,
        seed: int,
        *,
        one_in: int = 1,
        is_scored_once: bool = False,
    ) -> Member:
        """Take a model in, between two epochs; it trains from the next one on.

        Args:
            model: Its parameters are trained in place, and lie in one vector meanwhile.
            plan: How; batch size and reports per epoch are those of the other members.
            seed: Fixes the order of examples.
            one_in: Trains on one in so many training examples, as the other members do.
            is_scored_once: Whether it is scored at its end alone.

        Raises:
            ValueError: If an epoch is under way, or the others train on other batches.
        """
        if not self.is_between_epochs:
            raise ValueError("a population takes members in between two epochs")
        batches = self._bench.training_batches(one_in)
        member = Member(model, plan, batches, seed, is_scored_once=is_scored_once)
        if not all(member.has_pace_of(other) for other in self.members):
            raise ValueError("members of a population have one batch size and the same examples")
        self._ahead.append([])
        self._optimizer.add_param_group({
            "params": [member.parameters.vector], "weight_decay": plan.weight_decay,
        })  # fmt: skip
        self.members.append(member)
        return member

    def leave(self, member: Member) -> None:
        """Let a member go; its model keeps what it has learned."""
        index = self.members.index(member)
        self.members.pop(index)
        self._ahead.pop(index)
        self._optimizer.param_groups.pop(index + 1)
        self._optimizer.state.pop(member.parameters.vector, None)
        member.parameters.release()

    def run_out(self, member: Member, report: Callable[[int, float], None]) -> None:
        """Train to the end of a member, which then leaves.

        Args:
            member: One that has joined.
            report: Is told each of its reports that has a score, from 1, with it; may raise.

        Raises:
            EvaluationError: If a loss or a score of it is not finite.
        """
        while not member.is_done:
            self.run_part()
            if member.latest is not None:
                report(member.n_reports, member.latest)
        self.leave(member)
        if member.error is not None:
            raise member.error

    def run_epoch(self) -> None:
        """Train every member to the end of an epoch."""
        self.run_part()
        while not self.is_between_epochs:
            self.run_part()

    def run_part(self) -> None:
        """Train every member to its next report, and score it where that has a score.

        Models are in training mode while they train, and in evaluation mode afterwards.
        """
        started = time.perf_counter()
        for member in self.members:
            member.model.train()
        losses = self._train()
        for member in self.members:
            member.model.eval()
        scores = self._scores()
        seconds = (time.perf_counter() - started) / len(self.members)
        for member, loss in zip(self.members, losses, strict=True):
            member.seconds += seconds
            member.learned(loss, scores.get(member))

    def _scores(self) -> dict[Member, float]:
        """Validation scores of those whose report has one."""
        scored = [member for member in self.members if member.is_scored_next]
        models = [member.model for member in scored]
        found = scores_on(models, self._logits, self._bench, self._bench.validation)
        return dict(zip(scored, found, strict=True))

    def _train(self) -> list[float]:
        """The steps up to the next report; the mean training loss of each member."""
        if self.is_between_epochs:
            self._ahead = [member.epoch() for member in self.members]
        parts = [ahead.pop(0) for ahead in self._ahead]
        totals = torch.zeros(len(self.members), device=self._bench.train.labels.device)
        for batches in zip(*parts, strict=True):
            totals += self._step(batches) * len(batches[0])
        return (totals / sum(map(len, parts[0]))).tolist()

    def _step(self, batches: Sequence[Batch]) -> Tensor:
        """One step of every member; their losses, shape ``(n_members,)``."""
        profile = self._bench.profile
        with profile.of(Work.FORWARD):
            losses = torch.stack(self._losses(batches))
        with profile.of(Work.BACKWARD):
            for member in self.members:
                member.parameters.forget_gradients()
            losses.sum().backward()
        with profile.of(Work.OPTIMIZER):
            self._update()
        return losses.detach()

    def _losses(self, batches: Sequence[Batch]) -> list[Tensor]:
        """Of every member; those that run twice do so within one pass of the backbone."""
        task, train, n_members = self._bench.task, self._bench.train, len(self.members)
        twice = [index for index in range(n_members) if self.members[index].runs_twice]
        runs = [*range(n_members), *twice]
        models = [self.members[index].model for index in runs]
        logits = self._logits(models, train, [batches[index] for index in runs])
        losses = [
            task.loss(each, train.labels[batch.indices])
            for each, batch in zip(logits, batches, strict=False)
        ]
        for index, again in zip(twice, logits[n_members:], strict=True):
            weight = self.members[index].plan.consistency
            losses[index] = losses[index] + weight * task.divergence(logits[index], again)
        return losses

    def _update(self) -> None:
        for member, group in zip(self.members, self._optimizer.param_groups[1:], strict=True):
            group["lr"] = member.learning_rate
            member.n_steps += 1
        self._optimizer.step()


@torch.no_grad()
def scores_on(
    models: Sequence[nn.Module], logits: JointLogits, bench: Workbench, split: Split
) -> list[float]:
    """The task's metric on all examples of a split, by model; NaN where logits are not finite."""
    if not models:
        return []
    with bench.profile.of(Work.EVALUATION):
        is_cpu = split.labels.device.type == "cpu"
        size = BATCH_ON_CPU if is_cpu else BATCH_ON_ACCELERATORS
        found: list[Tensor] = []
        for batch in split.batches.ordered(size):
            parts = logits(models, split, [batch] * len(models))
            found = found or [part.new_empty((len(split.labels), part.shape[1])) for part in parts]
            for whole, part in zip(found, parts, strict=True):
                whole[batch.indices] = part
        if not found:
            raise ValueError("a split without examples has no score")
        return [bench.task.score(each, split.labels) for each in found]


def score_on_test(model: nn.Module, logits: JointLogits, bench: Workbench) -> float:
    """The task's metric on the test split.

    Raises:
        EvaluationError: If it is not finite, which validation scores need not show before.
    """
    (score,) = scores_on([model], logits, bench, bench.test)
    if not math.isfinite(score):
        raise EvaluationError(
            f"the test score of a trained layout is {score}; where trainings diverge, a smaller "
            "learning rate helps"
        )
    return score
