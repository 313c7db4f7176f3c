"""A layout attached to the backbone with a small write, untrained.

A fresh layout adds exactly zero. There the gradient of all that stands before the write is zero, a
score ``θ·∂L/∂θ`` is zero, and whatever looks at the function alone is the same for all layouts. So
the proxies of layouts look at a small step away from it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from placement_search.adapted.model import AdaptedBackbone
from placement_search.adapted.states import pooled
from placement_search.layout import Layout
from placement_search.modules.mask import KeptEntries
from placement_search.proxies.factors import FactorStream

WRITE = 0.02
"""Standard deviation of what a fresh adapter has at zero or, as factors, at one.

That of zeros is as transformers draw theirs.

What is added is then some hundredths of the states' own size.
"""


@dataclass(frozen=True, slots=True, eq=False)
class WrittenLayout:
    """A layout that writes a little, with the examples that proxies look at.

    Args:
        model: The layout on the backbone; its own head is not used.
        stream: The examples with their loss.
    """

    model: AdaptedBackbone
    stream: FactorStream

    def features(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Pooled features of each batch, ``(batch, width)``, and its examples' indices.

        They can be differentiated by the adapters' parameters. One forward pass, two where the
        layout is recurrent.
        """
        for inputs, indices in self.stream.batches():
            yield self._pooled(inputs, self.model.hidden_states(inputs)), indices

    def changes(self) -> Tensor:
        """What the layout changes of each example's features: ``(n_examples, width)``, double."""
        changed = torch.empty(0)
        with torch.no_grad():
            for inputs, indices in self.stream.batches():
                after = self._pooled(inputs, self.model.hidden_states(inputs))
                before = self._pooled(inputs, self.stream.backbone.graph.run(inputs))
                if not len(changed):
                    changed = after.new_empty((self.stream.n_examples, after.shape[1]))
                changed[indices] = after - before
        return changed.cpu().double()

    def _pooled(self, inputs: dict[str, Tensor], hidden: Tensor) -> Tensor:
        return pooled(hidden, self.stream.backbone.graph.token_mask(inputs), self.stream.pooling)


def write_layout(stream: FactorStream, layout: Layout, seed: int) -> WrittenLayout:
    """Attach a layout whose write is small instead of zero.

    Args:
        stream: The backbone and the examples.
        layout: What to attach.
        seed: Fixes the adapters' values; global random state stays as it was.
    """
    model = AdaptedBackbone(stream.backbone, layout, 1, seed=seed, pooling=stream.pooling)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in model.adapters.modules():
            if not isinstance(module, nn.LayerNorm):
                _write(module, generator)
    return WrittenLayout(model.eval(), stream)


def _write(module: nn.Module, generator: torch.Generator) -> None:
    """Draw the parameters of ``module`` itself that are all zero or all one, around that.

    Of masked matrices what is kept. Factors of one change nothing either, and a layout whose shifts
    alone were drawn would change all examples alike.
    """
    if isinstance(module, KeptEntries):
        module.fill_zeros(WRITE, generator)
    for parameter in module.parameters(recurse=False):
        if not parameter.any() or (parameter == 1).all():
            drawn = torch.randn(parameter.shape, generator=generator, dtype=torch.float32)
            parameter.add_((WRITE * drawn).to(parameter))
