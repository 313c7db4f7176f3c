"""Placement Search: where adapters help a frozen transformer most.

The names below are the Python interface, of the same power as the command line. They are loaded
when they are first used, so that importing the package loads no torch.
"""

from importlib import import_module

_HOMES = {
    "AdaptedBackbone": "placement_search.adapted.model",
    "ImageFormat": "placement_search.input_format",
    "DataSettings": "placement_search.tasks.settings",
    "Family": "placement_search.backbones.families",
    "Layout": "placement_search.layout",
    "ModelSettings": "placement_search.backbones.settings",
    "OperationSettings": "placement_search.operations.trained",
    "PlacementSearchError": "placement_search.errors",
    "PruneSettings": "placement_search.operations.prune",
    "SearchSettings": "placement_search.study.settings",
    "StudyRecord": "placement_search.study.records",
    "TrainingPlan": "placement_search.evaluation.plan",
    "TextFormat": "placement_search.input_format",
    "as_backbone": "placement_search.backbones.loading",
    "compute_proxy_map": "placement_search.study.proxy_map",
    "deploy_layout": "placement_search.operations.deploy",
    "drop_lowest": "placement_search.operations.drop",
    "export_layout": "placement_search.export.export",
    "find_answer": "placement_search.study.answer",
    "load_backbone": "placement_search.backbones.loading",
    "load_bench": "placement_search.study.search",
    "load_layout": "placement_search.export.load",
    "load_record": "placement_search.study.records",
    "load_task": "placement_search.tasks.loading",
    "merge_layouts": "placement_search.operations.merge",
    "outline": "placement_search.study.outline",
    "parse_layout": "placement_search.modules",
    "prune_layout": "placement_search.operations.prune",
    "read_data": "placement_search.tasks.loading",
    "read_starts": "placement_search.export.starts",
    "search": "placement_search.study.search",
    "verify_layout": "placement_search.export.load",
    "folded_state": "placement_search.adapted.fold",
    "write_peft": "placement_search.export.peft_folder",
    "write_report": "placement_search.report.write",
}

__all__ = sorted(_HOMES)  # noqa: PLE0605 - the table above is the one list


def __getattr__(name: str) -> object:
    """The public name, from its home."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """The public names."""
    return __all__
