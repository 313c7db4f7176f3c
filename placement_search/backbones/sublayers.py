"""What the sub-layers of a model are made of, seen by running it: its linear maps and its norms."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from torch import Tensor, nn

from placement_search.backbones.nodes import Node
from placement_search.places import Linear, SubLayer

KINDS: Mapping[str, str] = {"middle": "attention", "output": "MLP", "whole": "whole"}
"""By the place of the node that a sub-layer makes, what it is called."""


Args = tuple[object, ...]


class Tap(NamedTuple):
    """A module inside a sub-layer.

    Args:
        sublayer: The sub-layer's number, which is that of the node before it.
        path: The module's path inside its block.
    """

    sublayer: int
    path: str


@dataclass(frozen=True, slots=True, eq=False)
class _Call:
    """One run of a linear map or a norm, with what it read.

    Args:
        path: Of the module, inside its block.
        is_norm: Whether it is a norm.
        linear: The map, where it read one row of tokens for each example.
        n_common: Tokens of the one row that it read for all examples, as relative positions; 0
            where it read anything else.
        given: What it read.
    """

    path: str
    is_norm: bool
    linear: Linear | None
    n_common: int
    given: Tensor | None


@dataclass(slots=True)
class Trace:
    """A visitor that notes in which order nodes, linear maps and norms come.

    Args:
        n_examples: In the pass, at least two. A map is known if it reads one row for each of them
            once, and otherwise only what all of them share.
        calls: By block, what ran in it, and the nodes that were passed in between.
    """

    n_examples: int
    calls: dict[int, list[_Call | int]] = field(default_factory=dict)

    def addition(self, node: int, state: Tensor) -> None:
        """Nothing is added."""

    def passed(self, node: int, state: Tensor) -> None:
        """Note the node in every block, since it may end in one and begin another."""
        del state
        for calls in self.calls.values():
            calls.append(node)

    @contextmanager
    def watched(self, blocks: Sequence[nn.Module]) -> Iterator[None]:
        """Note what runs in these blocks."""
        with ExitStack() as handles:
            for block, module in enumerate(blocks):
                self.calls[block] = []
                for path, part in module.named_modules():
                    if path and (is_linear(part) or _is_norm(part)):
                        handle = part.register_forward_hook(self._noting(block, path))
                        handles.callback(handle.remove)
            yield

    def sublayers(self, nodes: Sequence[Node]) -> tuple[SubLayer, ...]:
        """The sub-layers, each with what ran before its node was passed and after the last was."""
        return tuple(self._sublayer(node) for node in nodes[1:])

    def common(self, sublayers: Sequence[SubLayer]) -> dict[Tap, int]:
        """By linear map how many tokens that all examples share it reads beside their own.

        Args:
            sublayers: As `sublayers` gave them.

        Returns:
            The maps that read some: those to queries and keys where they serve relative positions
            as well.
        """
        counts = {
            Tap(number, each.path): sum(c.n_common for c in self._calls(sublayer.block, each.path))
            for number, sublayer in enumerate(sublayers)
            for each in sublayer.linears
        }
        return {tap: n for tap, n in counts.items() if n}

    def _sublayer(self, node: Node) -> SubLayer:
        calls = self.calls[node.block]
        ends = [place for place, call in enumerate(calls) if call == node.index]
        starts = [place for place, call in enumerate(calls) if call == node.index - 1]
        end = ends[0] if ends else len(calls)
        start = max((place for place in starts if place < end), default=-1)
        inner = [call for call in calls[start + 1 : end] if isinstance(call, _Call)]
        paths = [call.path for call in calls if isinstance(call, _Call)]
        maps = [c for c in inner if c.linear is not None and self._runs_once(node.block, c.path)]
        linears = [replace(c.linear, is_first=c.given is maps[0].given) for c in maps if c.linear]
        norm = None
        if linears:
            last = next(i for i, call in enumerate(calls) if call is maps[-1])
            later = (c for c in calls[last:] if isinstance(c, _Call) and c.is_norm)
            norm = next((c.path for c in later if paths.count(c.path) == 1), None)
        return SubLayer(node.block, KINDS[node.place], tuple(linears), norm)

    def _runs_once(self, block: int, path: str) -> bool:
        """Whether a map runs once on the examples, whatever it makes of what they share."""
        return sum(not call.n_common for call in self._calls(block, path)) == 1

    def _calls(self, block: int, path: str) -> list[_Call]:
        runs = (call for call in self.calls[block] if isinstance(call, _Call))
        return [call for call in runs if call.path == path]

    def _noting(self, block: int, path: str) -> Callable[[nn.Module, Args, object], None]:
        def note(module: nn.Module, args: Args, output: object) -> None:
            linear = self._linear(path, module, args, output)
            given = args[0] if args and isinstance(args[0], Tensor) else None
            n_common = _n_common(module, given, output)
            self.calls[block].append(_Call(path, _is_norm(module), linear, n_common, given))

        return note

    def _linear(self, path: str, module: nn.Module, args: Args, output: object) -> Linear | None:
        given = args[0] if args else None
        if not is_linear(module) or not isinstance(given, Tensor) or not isinstance(output, Tensor):
            return None
        if output.dim() != 3 or len(output) != self.n_examples:
            return None
        has_bias = getattr(module, "bias", None) is not None
        return Linear(path, given.shape[-1], output.shape[-1], has_bias)


def is_linear(module: nn.Module) -> bool:
    """Whether a module is a linear map, quantised ones and GPT-2's transposed ones too."""
    return isinstance(module, nn.Linear) or is_transposed(module)


def is_transposed(module: nn.Module) -> bool:
    """Whether a linear map keeps its matrix as ``(n_in, n_out)``, as those of GPT-2 do."""
    return type(module).__name__ == "Conv1D"


def _n_common(module: nn.Module, given: Tensor | None, output: object) -> int:
    """Tokens of the one row that a linear map reads for all examples; 0 where it reads others."""
    if not is_linear(module) or given is None or not isinstance(output, Tensor):
        return 0
    return given.shape[1] if output.dim() == 3 and len(output) == 1 else 0


def _is_norm(module: nn.Module) -> bool:
    return type(module).__name__.lower().endswith("norm")
