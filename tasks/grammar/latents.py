"""Learn the hidden symbols of the random hierarchy model by clustering, level by level, without their names.

Two tuples of siblings come from the same symbol if their cousins, the tuples beside them under one
grandparent, are alike in distribution: cluster tuples by that, put clusters in their place, repeat. This is
the iterative latent clustering of arXiv 2605.27734 in our own words: contexts as square roots of shares,
singular vectors, k-means. Only the last step looks at labels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.randomness import generator

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Latents:
    """What was learned: for each level but the root's, the cluster of every tuple, (v^s,); and the class of
    every tuple of clusters under the root.
    """

    v: int
    s: int
    levels: tuple[Ints, ...]
    root: Ints

    def classes(self, strings: Ints) -> Ints:
        """Return the class, counted from 0, of each string, (n, s^L) -> (n,)."""
        for clusters in self.levels:
            strings = clusters[tuples(strings, self.v, self.s)]
        return self.root[tuples(strings, self.v, self.s)[:, 0]]


def learn(strings: Ints, labels: Ints, v: int, s: int) -> Latents:
    """Learn from strings, (P, s^L), and their classes, (P,), counted from 0."""
    levels = []
    while strings.shape[1] > s:
        seen = tuples(strings, v, s)
        levels.append(cluster(cousins(seen, v**s, s), v))
        strings = levels[-1][seen]
    top = np.zeros((v**s, v), np.int64)
    np.add.at(top, (tuples(strings, v, s)[:, 0], labels), 1)
    root = np.where(top.any(axis=1), top.argmax(axis=1), np.bincount(labels, minlength=v).argmax())
    return Latents(v=v, s=s, levels=tuple(levels), root=root)


def tuples(strings: Ints, v: int, s: int) -> Ints:
    """Return the number of each tuple of siblings, (P, n) -> (P, n / s), in base v."""
    return strings.reshape(len(strings), -1, s) @ v ** np.arange(s - 1, -1, -1)


def cousins(seen: Ints, kinds: int, s: int) -> Ints:
    """Count, for each tuple in each place under a grandparent, those in the other places; (kinds, ·)."""
    families = seen.reshape(-1, s)
    counts = np.zeros((kinds, s, s, kinds), np.int64)
    for i in range(s):
        for j in range(s):
            if i != j:
                np.add.at(counts[:, i, j], (families[:, i], families[:, j]), 1)
    return counts.reshape(kinds, -1)


def cluster(counts: Ints, v: int) -> Ints:
    """Return v clusters of the rows that are alike in distribution, (kinds,); rows never seen are in 0."""
    seen = np.flatnonzero(counts.any(axis=1))
    shares = np.sqrt(counts[seen] / counts[seen].sum(axis=1, keepdims=True))
    left, values, _ = np.linalg.svd(shares, full_matrices=False)
    found = np.zeros(len(counts), np.int64)
    found[seen] = k_means(left[:, :v] * values[:v], min(v, len(seen)))
    return found


def k_means(points: Floats, k: int, *, restarts: int = 30, rounds: int = 50) -> Ints:
    """Return the cluster of each point, (n,): the best of several starts drawn far apart (k-means++)."""
    rng, best, least = generator("k-means", *points.shape), np.zeros(len(points), np.int64), np.inf
    for _ in range(restarts):
        centres = points[rng.integers(len(points), size=1)]
        while len(centres) < k:
            away = distances(points, centres).min(axis=1) + 1e-12
            centres = np.concatenate([centres, points[rng.choice(len(points), size=1, p=away / away.sum())]])
        for _ in range(rounds):
            nearest = distances(points, centres).argmin(axis=1)
            moved = [
                points[nearest == c].mean(axis=0) if (nearest == c).any() else centres[c] for c in range(k)
            ]
            if np.allclose(moved, centres):
                break
            centres = np.stack(moved)
        if (spread := float(distances(points, centres).min(axis=1).sum())) < least:
            best, least = distances(points, centres).argmin(axis=1), spread
    return best


def distances(points: Floats, centres: Floats) -> Floats:
    """Return squared distances, (n, k)."""
    squares: Floats = ((points[:, None] - centres) ** 2).sum(axis=2)
    return squares
