"""A trained layout as a folder that PEFT loads: exactly, or not at all with the reason.

PEFT knows low-rank updates of linear maps, whichever and of whatever rank, and nothing between
nodes. So a layout goes there if each of its connections is such an update.
"""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from placement_search.adapted.model import AdaptedBackbone
from placement_search.backbones.graph import ResidualGraph
from placement_search.backbones.sublayers import Tap, is_transposed
from placement_search.errors import ExportError, OutputError
from placement_search.layout import Layout
from placement_search.modules import build_modules
from placement_search.modules.contract import ConnectionModule, InsideModule, LowRank
from placement_search.output_files import check_folder, make_folder, write_whole
from placement_search.places import Places

METADATA = "__metadata__"
"""Where a safetensors file has its metadata."""
CONFIG_NAME, WEIGHTS_NAME, HEAD_NAME = (
    "adapter_config.json", "adapter_model.safetensors", "head.safetensors",
)  # fmt: skip
PREFIX = "base_model.model."
"""What PEFT puts before the names of the base model's modules."""


def check_peft(layout: Layout, places: Places) -> None:
    """Check that PEFT can express a layout, before it is trained.

    Raises:
        ExportError: Naming the first connection that it can't express.
    """
    modules = build_modules(layout, places, seed=0)
    for connection, module in zip(layout.connections, modules, strict=True):
        if not _updates(module):
            raise ExportError(
                f"PEFT can't express {connection.notation}, only low-rank updates of linear maps "
                f"(lora without a gate); the layout was {layout.notation}"
            )
    if not layout.connections:
        raise ExportError("PEFT can't express a layout without connections: there is no adapter")


def check_peft_folder(folder: Path | str, owner: str) -> None:
    """Check that a layout can be written there and that no adapter of others lies there.

    Args:
        folder: Where it is to go.
        owner: Whose earlier export may be replaced, see `write_peft`.

    Raises:
        OutputError: If it can't, or one does: files of these names without the head that
            `write_peft` adds, or with that of another owner.
    """
    folder = check_folder(folder)
    names = (CONFIG_NAME, WEIGHTS_NAME, HEAD_NAME)
    lying = [name for name in names if (folder / name).exists()]
    held = _owner(folder / HEAD_NAME)
    if lying and held != owner:
        whose = f"of something else ({lying[0]})" if held is None else f"of another owner, {held}"
        raise OutputError(
            f"{str(folder)!r} holds an adapter {whose}; give another folder (--peft), or move that "
            "one away"
        )


def _owner(head: Path) -> str | None:
    """Whose head it is; None where `write_peft` did not write it."""
    try:
        with safe_open(head, "pt") as file:
            return (file.metadata() or {}).get("owner")
    except (OSError, SafetensorError):
        return None


def write_peft(
    model: AdaptedBackbone, folder: Path | str, owner: str | None = None
) -> tuple[Path, ...]:
    """Write a layout as PEFT does, for ``PeftModel.from_pretrained(base_model, folder)``.

    The base model is the backbone's own class, e.g. what ``AutoModel.from_pretrained`` gives. The
    head is no part of PEFT: it lies beside, as ``weight`` and ``bias`` of a linear map. The file's
    metadata say what it reads: ``pooling`` of the final hidden states and, where those are taken
    before the model's final norm, the path of that ``norm``. docs/peft.md has code that reads it.

    Args:
        model: The trained layout.
        folder: Made where it is missing; files of an earlier export of the same owner are replaced.
        owner: Whose export it is, e.g. which study's on which data; None for the layout's id.

    Returns:
        Configuration, weights and head.

    Raises:
        ExportError: Naming the first connection that PEFT can't express.
        OutputError: If ``folder`` is a file or can't be made, or holds another adapter.
    """
    owner = owner or f"layout {model.layout.id}"
    check_peft_folder(folder, owner)
    check_peft(model.layout, model.backbone.places)
    updates = _by_name(model)
    config = _config(model, updates)
    folder = make_folder(folder)
    paths = tuple(folder / name for name in (CONFIG_NAME, WEIGHTS_NAME, HEAD_NAME))
    head = {"weight": model.head.weight.detach(), "bias": model.head.bias.detach()}
    write_whole(paths[2], _sorted(save(head, {**_read_by_head(model), "owner": owner})))
    write_whole(paths[1], save(_weights(updates), {"format": "pt"}))
    text = json.dumps(config, indent=2, sort_keys=True, allow_nan=False)
    write_whole(paths[0], f"{text}\n")
    return paths


def _sorted(content: bytes) -> bytes:
    """A safetensors file with its metadata in order, which come in another one in every process.

    Such a file is the length of its header in eight bytes, the header as JSON, and the tensors.
    """
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    header[METADATA] = dict(sorted(header[METADATA].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content[end:]


def _read_by_head(model: AdaptedBackbone) -> dict[str, str]:
    """What makes the head's features of the hidden states that the model's class gives."""
    said = {"pooling": str(model.pooling), "layout_id": model.layout.id}
    norm = model.backbone.graph.family.norm
    return said if norm is None else said | {"norm": norm}


def _updates(module: ConnectionModule) -> dict[str, LowRank]:
    """By path in its block each update that a module makes; none if it makes anything else."""
    if not isinstance(module, InsideModule):
        return {}
    found = {path: module.low_rank(path) for path in module.paths}
    updates = {path: update for path, update in found.items() if update is not None}
    return updates if len(updates) == len(found) else {}


def _by_name(model: AdaptedBackbone) -> dict[str, LowRank]:
    """The updates by the names of the linear maps in the whole model, sorted."""
    graph = model.backbone.graph
    updates = {
        graph.tap_name(Tap(connection.source, path)): update
        for connection, module in model.wired
        for path, update in _updates(module).items()
    }
    _check_clear(updates, graph)
    return dict(sorted(updates.items()))


def _check_clear(updates: Mapping[str, LowRank], graph: ResidualGraph) -> None:
    """Check that PEFT, which compares the ends of names, finds these maps and no others."""
    for name, _ in graph.model.named_modules():
        ends = (f".{target}" for target in updates)
        if name not in updates and name.endswith(tuple(ends)):
            raise ExportError(
                f"PEFT would change {name} as well, whose name ends as another's does"
            )


def _config(model: AdaptedBackbone, updates: Mapping[str, LowRank]) -> dict[str, object]:
    """What ``adapter_config.json`` holds: the commonest rank and alpha, and exceptions by name."""
    facts, graph = model.backbone.facts, model.backbone.graph
    ranks = {name: len(update.down) for name, update in updates.items()}
    alphas = {name: _plain(update.alpha) for name, update in updates.items()}
    rank = Counter(ranks.values()).most_common(1)[0][0]
    alpha = Counter(alphas.values()).most_common(1)[0][0]
    return {
        "peft_type": "LORA",
        "task_type": None,
        "base_model_name_or_path": facts.id,
        "revision": facts.revision,
        "inference_mode": True,
        "target_modules": sorted(updates),
        "r": rank,
        "lora_alpha": alpha,
        "rank_pattern": {name: each for name, each in ranks.items() if each != rank},
        "alpha_pattern": {name: each for name, each in alphas.items() if each != alpha},
        "lora_dropout": 0.0,
        "bias": "none",
        "use_rslora": False,
        "use_dora": False,
        "fan_in_fan_out": all(is_transposed(graph.model.get_submodule(name)) for name in updates),
        "init_lora_weights": True,
        "modules_to_save": None,
    }


def _plain(alpha: float) -> float | int:
    """A whole number without a fraction, as PEFT writes its own."""
    return int(alpha) if alpha.is_integer() else alpha


def _weights(updates: Mapping[str, LowRank]) -> dict[str, Tensor]:
    return {
        f"{PREFIX}{name}.lora_{factor}.weight": tensor.detach().contiguous()
        for name, update in updates.items()
        for factor, tensor in (("A", update.down), ("B", update.up))
    }
