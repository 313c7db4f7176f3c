"""Which connections a space chooses together: pairs of nodes, their reverses, their repeats."""

from placement_search.errors import SpaceError
from placement_search.layout import kind_of
from placement_search.space.file import SpaceFile
from placement_search.space.format import where
from placement_search.space.node_names import Pair, Stream, expand_nodes, expand_pattern

Group = tuple[Pair, ...]


def connection_groups(file: SpaceFile, stream: Stream) -> tuple[tuple[Group, ...], frozenset[int]]:
    """The groups of connections that a layout has whole or not at all, and which it always has.

    Returns:
        The groups, each sorted, by their first connections; and the places of those in ``always``.

    Raises:
        SpaceError: If a name means no nodes, or ``always`` and ``never`` contradict each other.
    """
    never = frozenset().union(*(expand_pattern(p, "never", stream) for p in file.never))
    always = _always(file, stream)
    _check_not_never(always & never, file)
    pairs = (_candidates(file, stream) - never) | always
    if file.symmetric:
        pairs = frozenset((s, t) for s, t in pairs if (t, s) in pairs)
    groups = sorted({tuple(sorted(_kin(pair, file, stream) & pairs)) for pair in pairs})
    forced = frozenset(i for i, group in enumerate(groups) if not always.isdisjoint(group))
    return tuple(groups), forced


def idle_rules(file: SpaceFile, stream: Stream) -> list[str]:
    """The file's rules about connections that it does not admit; they change nothing.

    Returns:
        The key and the pattern of each, e.g. ``never.0 (20>3)``.

    Raises:
        SpaceError: If a name means no nodes.
    """
    admitted = _candidates(file, stream) | _always(file, stream)
    never = {f"never.{n}": pattern for n, pattern in enumerate(file.never)}
    rules = never | {
        f"when.{n}.{key}": where(named)
        for n, condition in enumerate(file.when)
        for key, named in (("has", condition.has), ("without", condition.without))
        if named is not None
    }
    return [
        f"{key} ({pattern})"
        for key, pattern in rules.items()
        if admitted.isdisjoint(expand_pattern(pattern, key, stream))
    ]


def _always(file: SpaceFile, stream: Stream) -> frozenset[Pair]:
    """The connections of every layout, with what comes with them.

    Raises:
        SpaceError: If a name means no nodes.
    """
    named = [pair for name in file.always for pair in expand_pattern(name, "always", stream)]
    return frozenset().union(*(_kin(pair, file, stream) for pair in named))


def _candidates(file: SpaceFile, stream: Stream) -> frozenset[Pair]:
    """The pairs of the file's kinds, sources and targets.

    Raises:
        SpaceError: With the mistakes of both ends at once.
    """
    mistakes, nodes = [], []
    for key, given in (("sources", file.sources), ("targets", file.targets)):
        try:
            nodes.append(expand_nodes(given, key, stream))
        except SpaceError as error:
            mistakes.append(str(error))
    if mistakes:
        raise SpaceError("; ".join(mistakes))
    sources, targets = nodes
    return frozenset((s, t) for s in sources for t in targets if kind_of(s, t) in file.kinds)


def _kin(pair: Pair, file: SpaceFile, stream: Stream) -> frozenset[Pair]:
    """All pairs that come with this one, itself among them, candidates or not."""
    kin = {pair, pair[::-1]} if file.symmetric else {pair}
    if file.tied != "blocks":
        return frozenset(kin)
    low, high = min(pair), max(pair)
    steps = range(-(low // stream.sublayers), (stream.n_nodes - 1 - high) // stream.sublayers + 1)
    shifts = [step * stream.sublayers for step in steps]
    return frozenset((s + shift, t + shift) for s, t in kin for shift in shifts)


def _check_not_never(both: frozenset[Pair], file: SpaceFile) -> None:
    if both:
        named = ", ".join(f"{s}>{t}" for s, t in sorted(both))
        brought = ", with what comes with them," if file.symmetric or file.tied else ""
        raise SpaceError(
            f"always{brought} and never both name {named}; leave it out of one of the two"
        )
