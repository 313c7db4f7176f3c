"""What all evaluations of a study share: backbone, data, frozen states and the probed head."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from placement_search.adapted.batches import Batches, take
from placement_search.adapted.frozen import FrozenStates, frozen_states
from placement_search.adapted.model import AdaptedBackbone
from placement_search.adapted.probe import ProbedHead, probe_head
from placement_search.backbones.families import Pooling
from placement_search.backbones.loading import Backbone
from placement_search.errors import BackboneError
from placement_search.evaluation.cost import count_costs, count_flops
from placement_search.evaluation.pooling import AUTO, PoolingChoice, choose_pooling
from placement_search.evaluation.score_card import Costs
from placement_search.evaluation.subsets import nested_part
from placement_search.layout import Layout
from placement_search.profile import NoProfile, Profile, Work
from placement_search.tasks.task import Examples, Task

GIB = 1024**3
MEMORY_LIMIT = 2 * GIB
"""Bytes that the frozen states of one split may take by default."""


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """One split as the backbone takes it, on its device, with its frozen states.

    Args:
        inputs: The backbone's inputs, each of shape ``(n_examples, …)``.
        labels: As `Examples` holds them.
        states: Frozen states of the same examples.
        batches: The ways to go through them.
    """

    inputs: Mapping[str, Tensor]
    labels: Tensor
    states: FrozenStates
    batches: Batches


class Workbench:
    """A backbone and a task, prepared once for many evaluations.

    Splits are prepared when they are first read, the test split only by what tests.

    Args:
        backbone: The frozen backbone.
        task: The data set, made for this backbone's input format.
        pooling: How tokens become one feature; ``auto`` for what the head probe likes best.
        memory_limit: Bytes that the frozen states of one split may take; see `frozen_states`.
        profile: Counts where the time of all work on it goes; None for nobody.

    Raises:
        BackboneError: If the backbone has no such pooling.
    """

    def __init__(
        self,
        backbone: Backbone,
        task: Task,
        *,
        pooling: str = AUTO,
        memory_limit: int = MEMORY_LIMIT,
        profile: Profile | None = None,
    ) -> None:
        allowed = [AUTO, *backbone.poolings]
        if pooling not in allowed:
            raise BackboneError(
                f"--pooling for {backbone.facts.model_type} takes one of {', '.join(allowed)}; "
                f"got {pooling!r}"
            )
        self.backbone = backbone
        self.task = task
        self.profile = profile or NoProfile()
        self._asked_pooling = pooling
        self._flops: dict[str, int] = {}
        self._parts: dict[int, Batches] = {}
        self.memory_limit = memory_limit

    @cached_property
    def train(self) -> Split:
        """The training split."""
        return self._prepared(self.task.train)

    def training_batches(self, one_in: int) -> Batches:
        """The ways to go through one in so many training examples; see `nested_part`."""
        if one_in == 1:
            return self.train.batches
        if one_in not in self._parts:
            chosen = nested_part(self.train.labels, self.task.target, one_in)
            self._parts[one_in] = Batches(self.train.inputs, chosen)
        return self._parts[one_in]

    @cached_property
    def validation(self) -> Split:
        """The validation split, which the search scores on."""
        return self._prepared(self.task.validation)

    @cached_property
    def test(self) -> Split:
        """The test split; reading it is what finalists do, and nothing else."""
        return self._prepared(self.task.test)

    @cached_property
    def pooling_choice(self) -> PoolingChoice:
        """The pooling asked for, or the one that the head probe scores best with."""
        if self._asked_pooling != AUTO:
            return PoolingChoice(Pooling(self._asked_pooling), {})
        splits = self.train, self.validation
        features = [split.states.features for split in splits]
        labels = [split.labels for split in splits]
        return choose_pooling(self.task, self.backbone.poolings, features, labels)

    def settle_pooling(self, choice: PoolingChoice) -> None:
        """Take a choice that was made before, as by the study that is continued."""
        self.pooling_choice = choice
        # A head that was fitted before is one of another pooling.
        self.__dict__.pop("head", None)

    @property
    def pooling(self) -> Pooling:
        """How tokens become one feature."""
        return self.pooling_choice.pooling

    @cached_property
    def head(self) -> ProbedHead:
        """The head that every evaluation starts from, fitted on the training split."""
        features = self.train.states.features[self.pooling]
        return probe_head(features, self.train.labels, self.task.target, self.task.n_outputs)

    @cached_property
    def n_bare_flops(self) -> int:
        """Floating-point operations of the bare backbone with its head, for one example."""
        return self.n_flops(self.adapted(Layout()))

    def n_flops(self, model: AdaptedBackbone) -> int:
        """The same of an adapted one, counted once for each layout."""
        key = model.layout.id
        if key not in self._flops:
            self._flops[key] = count_flops(model, self.first(1))
        return self._flops[key]

    def costs(self, layout: Layout) -> Costs:
        """What a layout costs, counted without training it."""
        return self.costs_of(self.adapted(layout))

    def costs_of(self, model: AdaptedBackbone) -> Costs:
        """What an adapted backbone costs, counted; latency is left out."""
        return count_costs(model, n_flops=self.n_flops(model), n_bare_flops=self.n_bare_flops)

    def adapted(self, layout: Layout, *, seed: int = 0) -> AdaptedBackbone:
        """The backbone with a fresh layout and the probed head."""
        model = AdaptedBackbone(
            self.backbone, layout, self.task.n_outputs, seed=seed, pooling=self.pooling
        )
        self.head.copy_into(model.head)
        return model

    def first(self, n_examples: int) -> dict[str, Tensor]:
        """Inputs of the first validation examples, or of all where there are fewer."""
        inputs = self.task.validation.inputs
        n_examples = min(n_examples, len(self.task.validation))
        chosen = take(inputs, torch.arange(n_examples))
        return {name: tensor.to(self.backbone.device) for name, tensor in chosen.items()}

    def _prepared(self, examples: Examples) -> Split:
        device = self.backbone.device
        inputs = {name: tensor.to(device) for name, tensor in examples.inputs.items()}
        with self.profile.of(Work.CACHE):
            states = frozen_states(self.backbone, inputs, self.memory_limit)
        return Split(inputs, examples.labels.to(device), states, Batches(inputs))
