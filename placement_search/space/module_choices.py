"""The modules that a space file names, with what they cost, and those that settings mean."""

import itertools
from collections.abc import Mapping, Sequence

from placement_search.errors import LayoutError, SpaceError, nearest
from placement_search.layout import ModuleSpec, ModuleTypes, make_module
from placement_search.places import Places
from placement_search.space.cost_table import Price
from placement_search.space.file import SpaceFile
from placement_search.space.format import Choice, Settings, options_of
from placement_search.space.place_classes import PlaceClasses

SIZES = ("rank", "width", "experts", "heads")
"""Settings that say how large a module is, where a type has them."""
MAX_FACTOR = 16
"""The most of each, in widths of the backbone.

Beyond one width a linear map gains nothing; but sparse modules are wide on purpose (SparseAdapter),
and `arc` has rank 50 on narrow backbones too.
"""


def read_modules(file: SpaceFile, types: ModuleTypes, places: Places) -> dict[ModuleSpec, int]:
    """Every combination of settings that the file names, cheapest first.

    Of an entry's combinations those that contradict themselves are left out, unless all do.

    Each has the parameters of one connection at the place where it has the most, with what it would
    share; 0 where it can be at no place.

    Raises:
        SpaceError: Naming the module whose type or settings break a rule.
    """
    _check_shared(file, types)
    costs: dict[ModuleSpec, int] = {}
    for index, choice in enumerate(file.modules):
        place = f"modules.{index} of space {file.name!r}"
        options = _shared_with(choice.type, file, types) | choice.options
        for name, values in options.items():
            if not values:
                raise SpaceError(f"{name} in {place} lists no value; give one, or leave it out")
        for spec in _combined(choice.type, options, types, place):
            _check_sizes(spec, types, places.width, place)
            costs[spec] = _most_parameters(spec, types, places)
    return dict(sorted(costs.items(), key=lambda item: (item[1], item[0].notation)))


def _combined(
    name: str, options: Mapping[str, Sequence[Choice]], types: ModuleTypes, place: str
) -> list[ModuleSpec]:
    """An entry's combinations; all of them where each contradicts itself, so that it is told."""
    found = []
    for values in itertools.product(*options.values()):
        given = dict(zip(options, values, strict=True))
        try:
            found.append(make_module(types, name, given, place))
        except LayoutError as error:
            raise SpaceError(str(error)) from error
    kind = types[name]
    consistent = [spec for spec in found if not kind.contradiction(kind.complete(spec.settings))]
    return consistent or found


def _check_sizes(spec: ModuleSpec, types: ModuleTypes, width: int, place: str) -> None:
    """Check that a module can be built at all.

    Raises:
        SpaceError: Naming a setting that is too large.
    """
    settings, most = types[spec.type].complete(spec.settings), MAX_FACTOR * width
    for name in SIZES:
        if int(settings.get(name, 0)) > most:
            raise SpaceError(
                f"{name} of {spec.type} in {place} must be at most {most:,}, which is "
                f"{MAX_FACTOR} times the backbone's width; got {settings[name]}"
            )


def _most_parameters(spec: ModuleSpec, types: ModuleTypes, places: Places) -> int:
    """Looks at a place of each kind, and at every sub-layer."""
    kind = types[spec.type]
    settings = kind.complete(spec.settings)
    around = [(k, k + 1) for k in range(max(1, len(places.sublayers)))]
    looked = [places.at(*pair) for pair in (*around, (0, 0), (0, 2), (1, 0))]
    counts = [kind.count(settings, place) for place in looked if not kind.misfit(settings, place)]
    return max(counts) + kind.count_shared(settings, places.width) if counts else 0


def parameter_price(
    modules: Sequence[ModuleSpec], types: ModuleTypes, places: Places, classes: PlaceClasses
) -> Price:
    """Trainable parameters of modules in each class of places, and of what they share."""
    kinds = [(types[m.type], types[m.type].complete(m.settings)) for m in modules]
    shared = tuple(kind.count_shared(settings, places.width) for kind, settings in kinds)
    looked = [places.at(*pair) for pair in classes.examples]
    own = tuple(
        0 if kind.misfit(settings, place) else kind.count(settings, place)
        for place in looked
        for kind, settings in kinds
    )
    return Price(own, shared=shared if any(shared) else ())


def _shared_with(
    type_name: str, file: SpaceFile, types: ModuleTypes
) -> dict[str, tuple[Choice, ...]]:
    known = types[type_name].settings if type_name in types else {}
    return {n: values for n, values in options_of(file.shared).items() if n in known}


def _check_shared(file: SpaceFile, types: ModuleTypes) -> None:
    used = [types[choice.type] for choice in file.modules if choice.type in types]
    known = {name for module_type in used for name in module_type.settings}
    for name in file.shared if used else ():
        if name not in known:
            raise SpaceError(
                f"shared of space {file.name!r}: no module of the file has a setting {name!r}"
                + nearest(name, known)
            )


def matching(
    wanted: Settings, modules: Sequence[ModuleSpec], types: ModuleTypes, place: str
) -> frozenset[int]:
    """The places of the modules that have the settings, or the type, that are wanted.

    Raises:
        SpaceError: If none has, or none has one of the listed values; ``place`` says where that
            stands.
    """
    options = options_of(wanted)
    has = [{"type": m.type, **types[m.type].complete(m.settings)} for m in modules]
    _check_words(options, modules, types, place)
    _check_values(options, has, place)
    found = {index for index, each in enumerate(has) if _fits(each, options)}
    if not found:
        known = ", ".join(module.notation for module in modules)
        raise SpaceError(f"{place} fits none of the space's modules: {wanted}; they are {known}")
    return frozenset(found)


def _check_words(
    options: Mapping[str, tuple[Choice, ...]],
    modules: Sequence[ModuleSpec],
    types: ModuleTypes,
    place: str,
) -> None:
    """Check that settings and types are ones that the modules have.

    Raises:
        SpaceError: With the nearest word that there is.
    """
    used = {module.type for module in modules}
    known = {"type"}.union(*(types[name].settings for name in used))
    for name in options:
        if name not in known:
            raise SpaceError(
                f"{place}: no module of the space has a setting {name!r}" + nearest(name, known)
            )
    for wanted in options.get("type", ()):
        if wanted not in used:
            raise SpaceError(
                f"{place}.type: the space has no module of type {wanted!r}"
                + nearest(str(wanted), used)
            )


def _check_values(
    options: Mapping[str, tuple[Choice, ...]], has: Sequence[Mapping[str, Choice]], place: str
) -> None:
    """Check that each value of a list is one that a module has: a slip would exclude modules.

    Raises:
        SpaceError: With those that there are.
    """
    for name, wanted in options.items():
        for value in wanted if len(wanted) > 1 else ():
            if not any(_fits(each, {name: (value,)}) for each in has):
                known = ", ".join(sorted({str(each[name]) for each in has if name in each}))
                raise SpaceError(
                    f"{place}.{name}: no module of the space has {value!r}; they have {known}"
                )


def _fits(has: Mapping[str, Choice], options: Mapping[str, tuple[Choice, ...]]) -> bool:
    # Python's true equals 1, a file's does not.
    return all(
        name in has
        and any(has[name] == v and isinstance(has[name], bool) == isinstance(v, bool) for v in each)
        for name, each in options.items()
    )
