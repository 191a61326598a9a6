"""Strings needed to find the hidden symbols of the random hierarchy model: by latents, and by labels.

    python experiments/latents_against_labels.py [--seeds 5]

By latents (arXiv 2605.27734): purity of the worst level, at P = 0.5 to 8 times v·m³ strings, for L = 2
to 6. By labels: purity of the lowest level where its tuples are clustered by the classes of the strings
they stand in.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray

from harness.randomness import generator
from tasks.grammar.latents import cluster, learn, tuples
from tasks.grammar.rhm import Rhm, expand

Ints = NDArray[np.int64]


def purity(clusters: Ints, seen: Ints, truth: Ints) -> float:
    """Return the share of tuples seen that stand in a cluster of which most are from the same symbol."""
    kinds = np.unique(seen)
    counts = np.zeros((clusters.max() + 1, truth.max() + 1), np.int64)
    np.add.at(counts, (clusters[kinds], truth[kinds]), 1)
    return float(counts.max(axis=1).sum() / len(kinds))


def symbols_of(rules: Ints, v: int, s: int) -> Ints:
    """Return the symbol that each tuple of a level comes from, (v^s,); 0 for those no rule makes."""
    truth = np.zeros(v**s, np.int64)
    for symbol, sides in enumerate(rules):
        truth[tuples(sides, v, s)[:, 0]] = symbol
    return truth


def drawn(task: Rhm, strings: int, seed: int) -> tuple[Ints, Ints]:
    """Draw strings and their classes straight from the grammar, repeats included."""
    rng = generator("latents against labels", seed, strings, task.levels)
    roots = rng.integers(task.v, size=(strings, 1))
    return expand(roots, task.rules, rng), roots[:, 0]


def by_latents(task: Rhm, strings: int, seed: int) -> float:
    """Return the purity of the worst level."""
    rows, labels = drawn(task, strings, seed)
    learned = learn(rows, labels, task.v, task.s)
    truth_rows, purities = rows, []
    for clusters, rules in zip(learned.levels, task.rules, strict=False):
        # a tuple of clusters stands for the tuple of true symbols it was seen for most often
        seen, true_seen = tuples(rows, task.v, task.s), tuples(truth_rows, task.v, task.s)
        symbol = symbols_of(rules, task.v, task.s)[true_seen]
        votes = np.zeros((task.v**task.s, task.v), np.int64)
        np.add.at(votes, (seen.ravel(), symbol.ravel()), 1)
        purities.append(purity(clusters, seen.ravel(), votes.argmax(axis=1)))
        rows, truth_rows = clusters[seen], symbol
    return min(purities)


def by_labels(task: Rhm, strings: int, seed: int) -> float:
    """Return the purity of the lowest level."""
    rows, labels = drawn(task, strings, seed)
    seen = tuples(rows, task.v, task.s)
    places = seen.shape[1]
    counts = np.zeros((task.v**task.s, places, task.v), np.int64)
    for place in range(places):
        np.add.at(counts[:, place], (seen[:, place], labels), 1)
    found = cluster(counts.reshape(len(counts), -1), task.v)
    return purity(found, seen.ravel(), symbols_of(task.rules[0], task.v, task.s))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, default=5)
    seeds = parser.parse_args().seeds
    unit = 8 * 4**3
    print("purity of the worst level, by latents\nL   " + "  ".join(f"{x:>5} vm³" for x in (0.5, 1, 2, 4, 8)))
    for levels in range(2, 7):
        means = [
            np.mean([by_latents(Rhm(levels=levels, grammar=g), int(x * unit), g) for g in range(seeds)])
            for x in (0.5, 1, 2, 4, 8)
        ]
        print(f"{levels}   " + "  ".join(f"{value:9.2f}" for value in means), flush=True)
    sizes = (128, 512, 2048, 8192, 32768)
    print("purity of the lowest level, by labels\nL   " + "  ".join(f"{p:>9}" for p in sizes))
    for levels in range(2, 7):
        means = [
            np.mean([by_labels(Rhm(levels=levels, grammar=g), p, g) for g in range(seeds)]) for p in sizes
        ]
        print(f"{levels}   " + "  ".join(f"{value:9.2f}" for value in means), flush=True)


if __name__ == "__main__":
    main()
