"""A Gaussian process over layouts, averaged over its own settings instead of tuned.

Scores are what one of the proxies or none of them makes expect, a linear part in what a layout is
as a whole, a sum of what its connections give, and an interaction that depends on how near two
layouts are as sets. Which proxy is believed, how much there is of each part, over what distance
nodes are alike, and how noisy scores are is weighed by the marginal likelihood on a fixed grid: a
search has too few trials to trust one setting.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg, special

from placement_search.space.search_space import SearchSpace
from placement_search.study.samplers.candidates import Candidate, training_features
from placement_search.study.samplers.sampler import Scores
from placement_search.study.samplers.set_features import (
    Array,
    Parts,
    SetFeatures,
    proxy_ranks,
    rank_sums,
    summary_features,
)

LENGTHS = (0.08, 0.16, 0.32)
"""Distances over which nodes are alike, as shares of all nodes."""
MIXES = (
    (0.8, 0.1, 0.1), (0.1, 0.8, 0.1), (0.1, 0.1, 0.8), (0.45, 0.45, 0.1), (0.45, 0.1, 0.45),
    (0.1, 0.45, 0.45), (0.33, 0.33, 0.34),
)  # fmt: skip
"""Shares of the linear part, the sum and the interaction."""
NOISES = (0.03, 0.1, 0.3, 1.0)
"""Variance of the noise, as a share of that of the scores."""
TRAINING = 0.7
"""What a training setting at an end of its range adds to a vector of length 1."""
SLOPE = 0.5
"""Spreads of the scores by which a layout is expected to be better for each spread of a proxy."""
FARTHEST = 100.0
"""How far from usual ones, by their spread, a layout may be."""
DISBELIEF = 0.5
"""Probability, before any trial, that no proxy is to be believed."""
PRIOR = 1.0
"""Observations that the prior of the scores' variance is worth."""
N_AVERAGED = 12
"""The likeliest settings that are averaged; the others add time and little else."""


@dataclass(frozen=True, slots=True, eq=False)
class Vectors:
    """Layouts as a kernel sees them, relative to the layouts of reference.

    Args:
        summaries: Of whole layouts, shape ``(n, n_summaries)``, by spread.
        sums: Of connections' vectors by length scale, each of shape ``(n, n_features)``.
        beliefs: What each proxy makes expect, in spreads of usual layouts, shape
            ``(n, n_proxies)``.
    """

    summaries: Array
    sums: tuple[Array, ...]
    beliefs: Array

    def joined(self, other: "Vectors") -> "Vectors":
        """These layouts, then those."""
        pairs = zip(self.sums, other.sums, strict=True)
        return Vectors(
            np.concatenate([self.summaries, other.summaries]),
            tuple(np.concatenate(pair) for pair in pairs),
            np.concatenate([self.beliefs, other.beliefs]),
        )


class Vectoriser:
    """Makes vectors of the layouts of a space.

    Args:
        space: The space.
        proxies: Scores of every connection, by proxy.
        reference: Random candidates of the space, at least two, which say what is usual.
    """

    def __init__(
        self,
        space: SearchSpace,
        proxies: Mapping[str, Scores],
        reference: Sequence[Candidate],
    ) -> None:
        self._space = space
        self._ranks = proxy_ranks(space, proxies)
        self._features = SetFeatures(space, self._ranks, LENGTHS)
        parts = _parts(reference)
        believed, sums = rank_sums(self._ranks, parts), self._features.of(parts)
        usual = self._summaries(reference, parts, believed)
        self._mean = usual.mean(0)
        self._spread = _spreads(usual) * np.sqrt(usual.shape[1])
        self._expected, self._surprise = believed.mean(0), _spreads(believed)
        self._means = [each.mean(0) for each in sums]
        self._scales = [np.sqrt(((s - s.mean(0)) ** 2).sum(1).mean()) or 1.0 for s in sums]

    def of(self, candidates: Sequence[Candidate]) -> Vectors:
        """The vectors of candidates; a usual layout's has length 1 in each part."""
        parts = _parts(candidates)
        believed = rank_sums(self._ranks, parts)
        training = TRAINING * training_features(self._space.training, candidates)
        each = zip(self._features.of(parts), self._means, self._scales, strict=True)
        sums = tuple(
            np.concatenate([(found - mean) / scale, training], axis=1)
            for found, mean, scale in each
        )
        return Vectors(
            _bounded((self._summaries(candidates, parts, believed) - self._mean) / self._spread),
            tuple(map(_bounded, sums)),
            _bounded((believed - self._expected) / self._surprise),
        )

    def _summaries(self, candidates: Sequence[Candidate], parts: Parts, believed: Array) -> Array:
        layouts = [each.layout for each in candidates]
        summaries = summary_features(self._space, layouts, parts)
        training = training_features(self._space.training, candidates)
        return np.concatenate([summaries, believed, training], axis=1)


def _parts(candidates: Sequence[Candidate]) -> Parts:
    return Parts([each.layout for each in candidates])


def _bounded(values: Array) -> Array:
    """Values within `FARTHEST`: what all layouts of reference but not this one have alike.

    Their spread is then what rounding left of it, and one such value would outweigh all others.
    """
    return np.clip(values, -FARTHEST, FARTHEST)


def _spreads(values: Array) -> Array:
    """Standard deviations of columns; 1 where all are equal."""
    spreads = values.std(0)
    return np.where(spreads > 0, spreads, 1.0)


Mix = tuple[float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class _Parts:
    """The three parts of the kernel of one length scale, of which each setting is a mix."""

    linear: Array
    additive: Array
    joint: Array

    @classmethod
    def between(cls, ours: Vectors, theirs: Vectors, length: int) -> "_Parts":
        """Of all pairs of two sets of layouts, each part of shape ``(n_ours, n_theirs)``."""
        one, other = ours.sums[length], theirs.sums[length]
        products = one @ other.T
        squares = (one**2).sum(1)[:, None] + (other**2).sum(1) - 2 * products
        # Two usual layouts lie about √2 apart.
        near = np.exp(-0.5 * np.maximum(squares, 0))
        return cls(ours.summaries @ theirs.summaries.T, products, near)

    @classmethod
    def within(cls, vectors: Vectors, length: int) -> "_Parts":
        """Of each layout with itself, each part of shape ``(n_layouts,)``."""
        squares = (vectors.sums[length] ** 2).sum(1)
        return cls((vectors.summaries**2).sum(1), squares, np.ones(len(squares)))

    def mixed(self, mix: Mix) -> Array:
        """The kernel of a setting."""
        linear, additive, joint = mix
        return np.asarray(linear * self.linear + additive * self.additive + joint * self.joint)


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """The process with one kernel, given observations.

    Args:
        length: Number of the length scale.
        mix: Shares of the kernel's parts.
        factor: Of the kernel's matrix, shape ``(n, n)``.
        solved: What the observations weigh, by what is believed, shape ``(n, n_beliefs)``.
        scales: The scores' variance, by what is believed.
        likelihoods: Logarithms of the probability of each belief and this kernel.
    """

    length: int
    mix: Mix
    factor: Array
    solved: Array
    scales: Array
    likelihoods: Array


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What the process expects of layouts.

    Args:
        means: By setting and layout, shape ``(n_settings, n_layouts)``, in units of scores.
        spreads: Standard deviations of the noiseless score, of the same shape.
        weights: Of the settings; they add up to one.
    """

    means: Array
    spreads: Array
    weights: Array

    @property
    def mean(self) -> Array:
        """Expected scores, shape ``(n_layouts,)``."""
        return np.asarray(self.weights @ self.means)

    def expected_improvement(self, best: float) -> Array:
        """By how much each layout is expected to be better than ``best``, shape ``(n_layouts,)``.

        After Jones, Schonlau and Welch (1998), averaged over the settings.
        """
        gap = self.means - best
        z = gap / self.spreads
        each = gap * special.ndtr(z) + self.spreads * np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
        return np.asarray(self.weights @ each)


class SetModel:
    """The process, given some scores.

    Args:
        vectors: Of the layouts observed, at least two.
        scores: Their scores, larger ones better.
        doubts: Variance by which each score is less sure than others, in squared scores.
    """

    def __init__(self, vectors: Vectors, scores: Array, doubts: Array) -> None:
        self._vectors = vectors
        self._mean, self._spread = float(scores.mean()), float(scores.std()) or 1.0
        self._targets = (scores - self._mean) / self._spread
        self._doubts = doubts / self._spread**2
        self._usual = vectors.beliefs.mean(0)
        self._fits = self._averaged()

    def predict(self, vectors: Vectors) -> Prediction:
        """What to expect of other layouts."""
        lengths = {fit.length for fit in self._fits}
        crossed = {n: _Parts.between(self._vectors, vectors, n) for n in lengths}
        own = {n: _Parts.within(vectors, n) for n in lengths}
        believed = self._believed(vectors).T
        found = [_predicted(fit, crossed[fit.length], own[fit.length]) for fit in self._fits]
        weights = np.concatenate([fit.likelihoods for fit in self._fits])
        return Prediction(
            means=self._mean + self._spread * np.concatenate([believed + m for m, _ in found]),
            spreads=self._spread * np.concatenate([spreads for _, spreads in found]),
            weights=np.exp(weights - _log_sum(weights)),
        )

    def believing(self, vectors: Vectors) -> "SetModel":
        """The process if these layouts, not scored yet, scored as it expects."""
        expected = self.predict(vectors).mean
        scores = self._mean + self._spread * self._targets
        doubts = self._doubts * self._spread**2
        return SetModel(
            self._vectors.joined(vectors),
            np.concatenate([scores, expected]),
            np.concatenate([doubts, np.zeros(len(expected))]),
        )

    def _believed(self, vectors: Vectors) -> Array:
        """What each proxy makes expect, then nothing, shape ``(n_layouts, n_beliefs)``."""
        expected = SLOPE * (vectors.beliefs - self._usual)
        return np.concatenate([expected, np.zeros((len(expected), 1))], axis=1)

    def _averaged(self) -> list[_Fit]:
        """The likeliest kernels, whatever is believed."""
        parts = [
            _Parts.between(self._vectors, self._vectors, length) for length in range(len(LENGTHS))
        ]
        settings = itertools.product(enumerate(parts), MIXES, NOISES)
        tried = [self._fit(length, own, mix, noise) for (length, own), mix, noise in settings]
        tried.sort(key=lambda fit: _log_sum(fit.likelihoods), reverse=True)
        return tried[:N_AVERAGED]

    def _fit(self, length: int, parts: _Parts, mix: Mix, noise: float) -> _Fit:
        """The process with a kernel, under every belief.

        The scores' variance is integrated out, as in a Student-t process.
        """
        gram = parts.mixed(mix) + np.diag(noise + self._doubts)
        factor = linalg.cholesky(gram, lower=True)
        residuals = self._targets[:, None] - self._believed(self._vectors)
        solved = linalg.cho_solve((factor, True), residuals)
        energies = PRIOR + (residuals * solved).sum(0)
        n, n_beliefs = residuals.shape
        determinant = np.log(np.diag(factor)).sum()
        likelihoods = -determinant - 0.5 * (n + PRIOR) * np.log(energies)
        if n_beliefs > 1:
            likelihoods[:-1] += np.log((1 - DISBELIEF) / (n_beliefs - 1))
            likelihoods[-1] += np.log(DISBELIEF)
        return _Fit(length, mix, factor, solved, energies / (n + PRIOR), likelihoods)


def _log_sum(logarithms: Array) -> float:
    """The logarithm of the sum of what has these logarithms; SciPy's is slow on a few numbers."""
    most = float(logarithms.max())
    return most + float(np.log(np.exp(logarithms - most).sum()))


def _predicted(fit: _Fit, crossed: _Parts, own: _Parts) -> tuple[Array, Array]:
    """Means beyond what is believed, and spreads, each ``(n_beliefs, n_layouts)``.

    From the layouts' kernels with those observed, and with themselves.
    """
    with_known = crossed.mixed(fit.mix)
    half = linalg.solve_triangular(fit.factor, with_known, lower=True)
    variance = np.maximum(own.mixed(fit.mix) - (half**2).sum(0), 1e-9)
    return fit.solved.T @ with_known, np.sqrt(fit.scales[:, None] * variance)
