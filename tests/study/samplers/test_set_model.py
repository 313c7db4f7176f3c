import random
from collections.abc import Callable

import numpy as np
import pytest

from placement_search.study.samplers.candidates import Candidate, random_candidates
from placement_search.study.samplers.set_features import Array, Parts, SetFeatures, proxy_ranks
from placement_search.study.samplers.set_model import SetModel, Vectoriser
from tests.study.samplers.asking import made_up_proxies
from tests.tiny_spaces import N_NODES, bound

SPACE = bound()


def drawn(n: int, seed: int = 0) -> list[Candidate]:
    generator = random.Random(seed)  # noqa: S311
    return random_candidates(SPACE, generator, n)


VECTORISER = Vectoriser(SPACE, made_up_proxies(), drawn(200, seed=9))


def worth(candidate: Candidate) -> float:
    """A score with diminishing returns: the layout's best connection counts, and a little size."""
    layout = candidate.layout
    near = [np.exp(-((c.source - 20) ** 2 + (c.target - 5) ** 2) / 60) for c in layout.connections]
    return float(max(near) + 0.05 * len(near))


def model_of(layouts: list[Candidate]) -> SetModel:
    scores = np.array([worth(layout) for layout in layouts])
    return SetModel(VECTORISER.of(layouts), scores, np.zeros(len(scores)))


def test_near_connections_have_like_vectors() -> None:
    """The product of two vectors falls with the distance of their ends."""
    features = SetFeatures(SPACE, proxy_ranks(SPACE, {}), (0.16,))
    pairs = ((20, 5), (19, 6), (10, 2))
    alone = Parts([SPACE.layout([pair], [SPACE.modules[0]]) for pair in pairs])
    here, near, far = features.of(alone)[0]

    assert here @ here > here @ near > here @ far > 0


def test_a_layouts_vector_is_the_sum_of_its_connections() -> None:
    """In whatever order."""
    features = SetFeatures(SPACE, proxy_ranks(SPACE, made_up_proxies()), (0.08, 0.16))
    module = SPACE.modules[0]
    both = SPACE.layout([(20, 5), (3, 3)], [module] * 2)
    each = [SPACE.layout([pair], [module]) for pair in ((20, 5), (3, 3))]

    for whole, parts in zip(features.of(Parts([both])), features.of(Parts(each)), strict=True):
        assert whole[0] == pytest.approx(parts.sum(0))


def test_unseen_layouts_are_ranked() -> None:
    """From sixty scores, others are predicted far better than by chance."""
    fresh = drawn(200, seed=2)
    predicted = model_of(drawn(60)).predict(VECTORISER.of(fresh)).mean
    truth = [worth(layout) for layout in fresh]

    assert np.corrcoef(predicted, truth)[0, 1] > 0.5


def believed(proxy: Callable[[int, int], float]) -> float:
    """How unseen layouts are ranked from eight scores, by a model with this proxy: Pearson's."""
    nodes = range(N_NODES)
    proxies = {"only": [[proxy(source, target) for target in nodes] for source in nodes]}
    vectoriser = Vectoriser(SPACE, proxies, drawn(200, seed=9))
    found = []
    for seed in range(10, 16):
        few, fresh = drawn(8, seed), drawn(200, seed=2)
        scores = np.array([worth(layout) for layout in few])
        model = SetModel(vectoriser.of(few), scores, np.zeros(len(few)))
        predicted = model.predict(vectoriser.of(fresh)).mean
        found.append(np.corrcoef(predicted, [worth(layout) for layout in fresh])[0, 1])
    return float(np.mean(found))


def test_a_proxy_that_is_right_is_believed_after_a_few_trials() -> None:
    """Eight scores and a proxy that knows the places predict better than with one that is blind."""
    knowing = believed(lambda s, t: -((s - 20) ** 2 + (t - 5) ** 2))
    blind = believed(lambda s, t: (7 * s + 11 * t) % 13)

    assert knowing > blind + 0.1


def test_a_proxy_that_is_wrong_is_given_up() -> None:
    """One that is upside down does not turn the ranking after sixty scores."""
    nodes = range(N_NODES)
    upside_down = {"only": [[(s - 20.0) ** 2 + (t - 5) ** 2 for t in nodes] for s in nodes]}
    vectoriser = Vectoriser(SPACE, upside_down, drawn(200, seed=9))
    known, fresh = drawn(60), drawn(200, seed=2)
    scores = np.array([worth(layout) for layout in known])
    predicted = SetModel(vectoriser.of(known), scores, np.zeros(60)).predict(vectoriser.of(fresh))

    assert np.corrcoef(predicted.mean, [worth(layout) for layout in fresh])[0, 1] > 0.5


def test_what_was_seen_is_surer_than_what_was_not() -> None:
    """Spreads shrink at the observations."""
    layouts = drawn(40)
    model = model_of(layouts)

    def doubt(of: list[Candidate]) -> float:
        found = model.predict(VECTORISER.of(of))
        return float(np.mean(found.weights @ found.spreads))

    assert doubt(layouts) < 0.7 * doubt(drawn(40, seed=3))


def test_the_weights_of_the_settings_add_up() -> None:
    """An average, not a sum."""
    assert model_of(drawn(20)).predict(VECTORISER.of(drawn(3))).weights.sum() == pytest.approx(1)


def test_believing_in_a_layout_makes_it_less_interesting() -> None:
    """One that is under way already promises less improvement than before."""
    layouts = drawn(30)
    model = model_of(layouts)
    best = max(map(worth, layouts))
    fresh = VECTORISER.of(drawn(50, seed=4))
    gains = model.predict(fresh).expected_improvement(best)
    top = int(gains.argmax())
    chosen = VECTORISER.of([drawn(50, seed=4)[top]])
    after = model.believing(chosen).predict(fresh).expected_improvement(best)

    # What a proxy makes expect is not less for being believed, only less open.
    assert after[top] < 0.9 * gains[top]


def test_expected_improvement_is_that_of_a_normal_variable() -> None:
    """Against draws from what is predicted."""
    model = model_of(drawn(30))
    found = model.predict(VECTORISER.of(drawn(5, seed=5)))
    generator = np.random.default_rng(0)

    def simulated(index: int) -> float:
        setting = generator.choice(len(found.weights), size=200_000, p=found.weights)
        values = generator.normal(found.means[setting, index], found.spreads[setting, index])
        return float(np.maximum(values - 0.5, 0).mean())

    # The error of 200,000 draws is below a hundredth of their spread.
    expected = [simulated(index) for index in range(5)]
    assert found.expected_improvement(0.5) == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("scores", [np.full(8, 0.5), np.arange(8.0) * 1e-9])
def test_scores_that_hardly_differ_are_no_trouble(scores: Array) -> None:
    """A task at its ceiling gives equal scores."""
    layouts = drawn(8)
    model = SetModel(VECTORISER.of(layouts), scores, np.zeros(8))

    assert np.isfinite(model.predict(VECTORISER.of(drawn(9, seed=6))).mean).all()
