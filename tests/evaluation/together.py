"""Evaluations that train as one population, for the tests of what company must not change."""

from collections.abc import Sequence

import torch
from torch import Tensor

from placement_search.evaluation.evaluate import Evaluation, begin, new_population
from placement_search.evaluation.member import Member
from placement_search.evaluation.workbench import Workbench


def trained(bench: Workbench, requests: Sequence[Evaluation]) -> list[Member]:
    """Train requests as one population to their end."""
    population = new_population(bench)
    members = [begin(population, bench, request) for request in requests]
    while not all(member.is_done for member in members):
        population.run_epoch()
    for member in members:
        population.leave(member)
    return members


def weights(member: Member) -> Tensor:
    """All values of a member's model that are trained."""
    return torch.cat([p.detach().flatten() for p in member.model.parameters()])
