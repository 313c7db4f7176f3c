"""What throughput is measured on: a fixed set of mixed layouts, and backbones of real size."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import torch
import transformers

from placement_search.backbones.loading import load_backbone
from placement_search.backbones.settings import ModelSettings
from placement_search.evaluation.workbench import GIB, Workbench
from placement_search.layout import Connection, Layout
from placement_search.modules import MODULE_TYPES
from placement_search.places import Places
from placement_search.space.budget import Budget
from placement_search.space.file import read_space
from placement_search.space.search_space import SearchSpace, bind_space
from placement_search.tasks.metrics import METRICS
from placement_search.tasks.target import Target
from placement_search.tasks.task import Examples, Task

PER_LAYER, LONG_RANGE, RECURRENT = "per layer", "long-range", "recurrent"
MIX = (
    PER_LAYER, LONG_RANGE, RECURRENT, LONG_RANGE, RECURRENT, PER_LAYER, LONG_RANGE, RECURRENT
)  # fmt: skip
"""The kinds in turn: of 24 layouts 6 are per layer, 9 long-range and 9 recurrent."""

N_CLASSES = 10
VOCABULARY = 30_522
TOKENS = (8, 64)
"""Shortest and longest made-up text."""


@dataclass(frozen=True, slots=True)
class Case:
    """A layout of the benchmark, and what it stands for."""

    kind: str
    layout: Layout


def mixed_layouts(n_nodes: int, width: int, n_layouts: int, seed: int) -> list[Case]:
    """Different layouts of all kinds in turn, so that any first few of them are a mix.

    The per-layer ones begin with an adapter at every sub-layer, parallel and then sequential. The
    others have 1 to 6 connections: per-layer and long-range ones are drawn from the spaces of these
    names, recurrent ones from the extended space, so that most have connections of other kinds too.

    Args:
        n_nodes: Nodes of the backbone.
        width: Channels of its residual stream.
        n_layouts: How many.
        seed: Fixes them.
    """
    draw = _Draw(n_nodes, width, seed)
    cases: list[Case] = []
    seen: set[str] = set()
    for kind in cycle(MIX):
        if len(cases) == n_layouts:
            return cases
        layout = next(each for each in draw.layouts(kind) if each.id not in seen)
        seen.add(layout.id)
        cases.append(Case(kind, layout))
    raise AssertionError


class _Draw:
    """Endless layouts of each kind."""

    def __init__(self, n_nodes: int, width: int, seed: int) -> None:
        self._n_nodes = n_nodes
        self._random = random.Random(seed)  # noqa: S311 - reproducible, not secret
        names = {PER_LAYER: "per_layer", LONG_RANGE: "long_range", RECURRENT: "extended"}
        self._spaces = {
            kind: bind_space(
                read_space(name),
                MODULE_TYPES,
                n_nodes=n_nodes,
                places=Places(width),
                budget=Budget(),
            )
            for kind, name in names.items()
        }

    def layouts(self, kind: str) -> Iterator[Layout]:
        space = self._spaces[kind]
        if kind == PER_LAYER:
            yield from self._every_layer(space)
        while True:
            layout = self._one(space)
            if kind != RECURRENT or layout.is_recurrent:
                yield layout

    def _every_layer(self, space: SearchSpace) -> Iterator[Layout]:
        nodes = range(1, self._n_nodes)
        for step in (1, 0):
            yield Layout(tuple(Connection(n - step, n, space.modules[-1]) for n in nodes))

    def _one(self, space: SearchSpace) -> Layout:
        n_connections = self._random.randint(space.at_least, space.at_most)
        pairs = self._random.sample(space.pairs, n_connections)
        return space.layout(pairs, [self._random.choice(space.modules)] * n_connections)


@dataclass(frozen=True, slots=True)
class MadeUp:
    """A backbone of real size with random weights, and the data made up for it.

    Args:
        make: The model without its pooler; draws from torch's global generator.
        inputs: Of so many examples, by argument name, from a generator.
    """

    make: Callable[[], transformers.PreTrainedModel]
    inputs: Callable[[int, torch.Generator], dict[str, torch.Tensor]]


def _images(n_examples: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
    return {"pixel_values": torch.randn((n_examples, 3, 224, 224), generator=generator)}


def _texts(n_examples: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
    shortest, longest = TOKENS
    lengths = torch.randint(shortest, longest + 1, (n_examples, 1), generator=generator)
    mask = torch.arange(longest) < lengths
    ids = torch.randint(1, VOCABULARY, mask.shape, generator=generator)
    return {"input_ids": ids * mask, "attention_mask": mask.long()}


MADE_UP = {
    "vit-b16": MadeUp(
        lambda: transformers.ViTModel(transformers.ViTConfig(), add_pooling_layer=False), _images
    ),
    "bert-base": MadeUp(
        lambda: transformers.BertModel(
            transformers.BertConfig(vocab_size=VOCABULARY), add_pooling_layer=False
        ),
        _texts,
    ),
}
"""By the name that ``--model`` takes."""


def made_up_bench(
    name: str, folder: Path, device: str, sizes: tuple[int, int], memory: float
) -> Workbench:
    """A backbone of `MADE_UP`, saved to a folder and read from it, with made-up data.

    Args:
        name: Which one.
        folder: Is filled with its files.
        device: Where it runs; see `ModelSettings`.
        sizes: Training and validation examples.
        memory: GiB that the frozen states of one split may take.
    """
    made = MADE_UP[name]
    transformers.utils.logging.disable_progress_bar()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made.make().save_pretrained(folder)
    backbone = load_backbone(ModelSettings(str(folder), device=device))
    generator = torch.Generator().manual_seed(0)
    train, validation, test = (
        Examples(
            made.inputs(n_examples, generator),
            torch.randperm(n_examples, generator=generator) % N_CLASSES,
        )
        for n_examples in (*sizes, N_CLASSES)
    )
    task = Task(
        name="made up",
        target=Target.SINGLE_LABEL,
        label_names=tuple(map(str, range(N_CLASSES))),
        metric=METRICS["accuracy"],
        train=train,
        validation=validation,
        test=test,
    )
    pooling = str(backbone.poolings[0])
    return Workbench(backbone, task, pooling=pooling, memory_limit=round(memory * GIB))
