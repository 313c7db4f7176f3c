"""Lists of labels read as sets: of names or numbers, or of one 0 or 1 for each label."""

import numpy as np

from placement_search.tasks.faults import Fault, shortened
from placement_search.tasks.label_column import (
    NO_CLASS,
    NO_LABEL,
    LabelColumn,
    Labels,
    called,
    names_of,
    places,
)
from placement_search.tasks.target import Target


def read_sets(column: LabelColumn) -> Labels:
    """Lists of one length, at least 2, that hold only 0 and 1 are flags; others list labels.

    Where the column declares classes, flags are as many as these; but a list that names one label
    twice is no set.
    """
    lists = [value for value in column.present if isinstance(value, list)]
    lengths = {len(value) for value in lists}
    is_even = len(lengths) == 1 and min(lengths) >= 2
    is_whole = column.declared is None or lengths == {len(column.declared)}
    is_no_set = any(len(set(value)) < len(value) for value in lists)
    if (
        is_even
        and (is_whole or is_no_set)
        and all(item in {0, 1} for value in lists for item in value)
    ):
        return _flags(column, lengths.pop())
    return _listed(column, lists)


def _flags(column: LabelColumn, n_labels: int) -> Labels:
    names = tuple(str(place) for place in range(n_labels))
    if column.declared is not None and len(column.declared) == n_labels:
        names = column.declared
    arrays, faults = {}, []
    for split, values in column.values.items():
        arrays[split] = np.zeros((len(values), n_labels), dtype=np.float32)
        for row, value in enumerate(values):
            if isinstance(value, list):
                arrays[split][row] = value
            else:
                faults.append(Fault(NO_LABEL, split, row, column.name, "None"))
    return Labels(Target.MULTI_LABEL, names, arrays, tuple(faults))


def _listed(column: LabelColumn, lists: list[list[object]]) -> Labels:
    names = column.declared or names_of(item for value in lists for item in value)
    index = places(column, names)
    arrays, faults = {}, []
    for split, values in column.values.items():
        arrays[split] = np.zeros((len(values), len(names)), dtype=np.float32)
        for row, value in enumerate(values):
            items = value if isinstance(value, list) else []
            found = [index.get(called(item), -1) for item in items]
            arrays[split][row, [place for place in found if place >= 0]] = 1
            if not isinstance(value, list) or -1 in found:
                is_missing = not isinstance(value, list) or "" in map(called, items)
                rule = NO_LABEL if is_missing else NO_CLASS
                faults.append(Fault(rule, split, row, column.name, shortened(value)))
    return Labels(Target.MULTI_LABEL, names, arrays, tuple(faults))
