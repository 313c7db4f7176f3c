"""``deploy``: an exported layout with the copies of its modules averaged."""

from placement_search.cli.bundles import backbone_of
from placement_search.cli.operations import (
    NewFolderOption,
    before_and_after,
    show,
)
from placement_search.cli.options import (
    DataPlaceOption,
    DeviceOption,
    FamilyOption,
    FolderArgument,
    Format,
    FormatOption,
    ModelPlaceOption,
    PickleOption,
    RemoteCodeOption,
    exit_codes,
)
from placement_search.cli.output import Cell, print_rows
from placement_search.cli.progress import StderrProgress


def deploy(
    folder: FolderArgument,
    out: NewFolderOption,
    model: ModelPlaceOption = None,
    data: DataPlaceOption = None,
    device: DeviceOption = None,
    family: FamilyOption = None,
    allow_pickle: PickleOption = False,
    trust_remote_code: RemoteCodeOption = False,
    form: FormatOption = Format.TABLE,
) -> None:
    """Average the copies in AdaMix and Tiny-Attention modules into one each, and measure it.

    Example: placement-search deploy runs/demo/layout --out runs/deployed
    """
    with exit_codes():
        from placement_search.operations.deploy import deploy_layout
        from placement_search.operations.trained import OperationSettings

        settings = backbone_of(folder, model, device, family, allow_pickle, trust_remote_code)
        with StderrProgress() as progress:
            progress.start("deploy", 0)
            done = deploy_layout(folder, OperationSettings(out, settings, data), progress.advance)
        facts = before_and_after(done.written, done.score_before, done.costs_before)
        del facts["score_untrained"]
        change = done.logit_change
        facts["logit_change"] = change if form is Format.JSON else f"{change:.1e}"
        facts["largest_logit"] = done.largest_logit
        rows: list[dict[str, Cell]] = [
            {"connection": connection.notation, "stays": reason}
            for connection, reason in done.undeployed.items()
        ]
        if rows and form is Format.TABLE:
            print_rows(rows, form)
        show(facts, done.written, form, undeployed=rows)
