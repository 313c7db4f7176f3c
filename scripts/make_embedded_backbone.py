"""Make the embedded backbone: draw glyphs, train a small ViT to tell them apart, save it.

    python -m scripts.make_embedded_backbone

Every training picture is drawn once and never seen again, so the backbone can't learn pictures by
heart. The linear head that names the classes is thrown away. Beside the weights lies
`record.json`: the recipe, its accuracy, and how well a logistic regression on the bare backbone's
final CLS state solves the validation split of each embedded task. The test splits stay unread.
"""

import argparse
import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import transformers
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Generator, Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import ViTConfig, ViTModel

from placement_search.input_format import ImageFormat
from placement_search.tasks.loading import TASKS, load_task
from placement_search.tasks.task import Task
from scripts.glyphs import IMAGE_SIZE, Alphabet, draw_alphabet, draw_glyphs

EMBEDDED = Path(__file__).parents[1] / "placement_search" / "backbones" / "embedded"
PIXEL_MEAN, PIXEL_STD = 0.5, 0.5
INPUTS = ImageFormat(None, IMAGE_SIZE, IMAGE_SIZE, 1, (PIXEL_MEAN,), (PIXEL_STD,))
N_THREADS = 1
"""Alone, a second thread gains a third; beside another busy program two threads lose tenfold."""
STEPS_PER_LINE = 100


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the weights, next to the versions of torch and transformers."""

    seed: int = 0
    n_classes: int = 200
    n_steps: int = 6_000
    batch_size: int = 64
    n_validation: int = 4_000
    peak_learning_rate: float = 2e-3
    warmup_share: float = 0.03
    weight_decay: float = 0.05
    largest_gradient_norm: float = 1.0

    @property
    def n_images(self) -> int:
        """How many pictures the training draws."""
        return self.n_steps * self.batch_size


class Classifier(nn.Module):
    """The backbone with a linear head on its CLS state."""

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        self.backbone = new_backbone()
        self.head = nn.Linear(self.backbone.config.hidden_size, n_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of shape ``(n, n_classes)`` for pictures ``(n, 1, 16, 16)`` within ``[0, 1]``."""
        pixels = (images - PIXEL_MEAN) / PIXEL_STD
        logits: Tensor = self.head(cls_states(self.backbone, pixels))
        return logits


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training leaves behind; accuracies lie within ``[0, 1]``.

    The training accuracy is a running mean over about the last hundred batches.
    """

    backbone: ViTModel
    train_accuracy: float
    validation_accuracy: float
    seconds: float


def new_backbone() -> ViTModel:
    """A 12-block ViT of width 64 for 16x16 grey images, its weights drawn at random.

    At this width the usual initial standard deviation of 0.02 leaves the blocks near the identity
    and the first thousand steps are wasted; 0.1 is close to 1 / sqrt(64).
    """
    config = ViTConfig(
        hidden_size=64,
        num_hidden_layers=12,
        num_attention_heads=4,
        intermediate_size=256,
        hidden_act="gelu",
        image_size=IMAGE_SIZE,
        patch_size=4,
        num_channels=1,
        initializer_range=0.1,
        attn_implementation="eager",
    )
    return ViTModel(config, add_pooling_layer=False)


def cls_states(backbone: ViTModel, images: Tensor) -> Tensor:
    """The CLS state after the final norm.

    Args:
        backbone: As `new_backbone` makes it.
        images: Shape ``(n, 1, 16, 16)``, scaled from ``[0, 1]`` by `PIXEL_MEAN` and `PIXEL_STD`.

    Returns:
        Shape ``(n, width)``.
    """
    states: Tensor = backbone(pixel_values=images).last_hidden_state
    return states[:, 0]


def learning_rate(step: int, recipe: Recipe) -> float:
    """Linear warm-up to the peak, then half a cosine down to zero."""
    n_warmup = max(1, round(recipe.warmup_share * recipe.n_steps))
    if step < n_warmup:
        return recipe.peak_learning_rate * (step + 1) / n_warmup
    progress = (step - n_warmup) / max(1, recipe.n_steps - n_warmup)
    return recipe.peak_learning_rate * (1 + math.cos(math.pi * progress)) / 2


def train(recipe: Recipe) -> Trained:
    """Train a new backbone on freshly drawn glyphs; prints its progress."""
    started = time.perf_counter()
    torch.manual_seed(recipe.seed)
    generator = Generator().manual_seed(recipe.seed)
    alphabet = draw_alphabet(recipe.n_classes, generator)
    model = Classifier(recipe.n_classes).train()
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=recipe.weight_decay)
    train_accuracy = 0.0
    for step in range(recipe.n_steps):
        labels = torch.randint(recipe.n_classes, (recipe.batch_size,), generator=generator)
        images = draw_glyphs(alphabet, labels, generator)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, recipe)
        accuracy = train_step(model, optimizer, images, labels, recipe.largest_gradient_norm)
        train_accuracy += 0.01 * (accuracy - train_accuracy)
        if step % STEPS_PER_LINE == 0:
            seconds = time.perf_counter() - started
            print(f"step {step}  accuracy {train_accuracy:.3f}  {seconds:.0f} s", flush=True)
    validation_accuracy = glyph_accuracy(model.eval(), alphabet, recipe)
    seconds = time.perf_counter() - started
    return Trained(model.backbone, train_accuracy, validation_accuracy, seconds)


def train_step(
    model: Classifier,
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    labels: Tensor,
    largest_gradient_norm: float,
) -> float:
    """One update; gives the batch's accuracy before it, within ``[0, 1]``."""
    logits: Tensor = model(images)
    loss = cross_entropy(logits, labels)
    optimizer.zero_grad()
    torch.autograd.backward(loss)
    nn.utils.clip_grad_norm_(model.parameters(), largest_gradient_norm)
    optimizer.step()
    return (logits.argmax(dim=1) == labels).float().mean().item()


@torch.no_grad()
def glyph_accuracy(model: Classifier, alphabet: Alphabet, recipe: Recipe) -> float:
    """Share of newly drawn glyphs whose class the model names, within ``[0, 1]``."""
    generator = Generator().manual_seed(recipe.seed + 1)
    labels = torch.randint(alphabet.n_classes, (recipe.n_validation,), generator=generator)
    images = draw_glyphs(alphabet, labels, generator)
    found = [model(part).argmax(dim=1) for part in torch.split(images, 500)]
    return (torch.cat(found) == labels).float().mean().item()


@torch.no_grad()
def probe_accuracy(backbone: ViTModel, task: Task) -> float:
    """Validation accuracy of a logistic regression on the CLS state, within ``[0, 1]``."""
    train_states, validation_states = (
        cls_states(backbone, split.inputs["pixel_values"]).numpy()
        for split in (task.train, task.validation)
    )
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2_000))
    probe.fit(train_states, task.train.labels.numpy())
    return float(probe.score(validation_states, task.validation.labels.numpy()))


def save(trained: Trained, recipe: Recipe, folder: Path) -> None:
    """Write the weights, their configuration, the image processor's settings and the record."""
    trained.backbone.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)  # a wheel keeps modes; safetensors writes 0o600
    processor = {
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [PIXEL_MEAN],
        "image_processor_type": "ViTImageProcessor",
        "image_std": [PIXEL_STD],
        "resample": 2,
        "rescale_factor": 1 / 255,
        "size": {"height": IMAGE_SIZE, "width": IMAGE_SIZE},
    }
    record = {
        "command": "python -m scripts.make_embedded_backbone",
        "recipe": asdict(recipe) | {"n_images": recipe.n_images},
        "train_accuracy": round(trained.train_accuracy, 4),
        "validation_accuracy": round(trained.validation_accuracy, 4),
        "probe_validation_accuracy": {
            name: round(probe_accuracy(trained.backbone, load_task(name, INPUTS)), 4)
            for name in TASKS
        },
        "seconds": round(trained.seconds, 1),
        "n_threads": torch.get_num_threads(),
        "torch_version": torch.__version__,
        "transformers_version": transformers.__version__,
    }
    write_json(folder / "preprocessor_config.json", processor)
    write_json(folder / "record.json", record)
    print(json.dumps(record, indent=2))


def write_json(path: Path, content: dict[str, object]) -> None:
    """Write indented JSON that ends with a newline."""
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Read the command line, train and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=EMBEDDED, help="folder to write into")
    parser.add_argument("--steps", type=int, default=Recipe().n_steps, help="optimiser steps")
    arguments = parser.parse_args()
    torch.set_num_threads(N_THREADS)
    recipe = Recipe(n_steps=arguments.steps)
    save(train(recipe), recipe, arguments.out)
    print(arguments.out)


if __name__ == "__main__":
    main()
