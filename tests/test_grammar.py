"""Composition: the random hierarchy model and two-hop questions, against brute force."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest

from harness import registry
from harness.contracts import Item, Unparsed
from harness.errors import UserError
from harness.randomness import generator
from tasks.grammar.latents import learn, tuples
from tasks.grammar.rhm import Rhm, expand
from tasks.grammar.two_hop import TwoHop


def load(task: Any, count: int | None, split: str = "test", seed: int = 0) -> list[Item]:
    return task.load(split=split, seed=seed, limit=count, data_dir=None)  # type: ignore[no-any-return]


def derived(rules: Any, symbol: int) -> list[tuple[int, ...]]:
    """List every string a symbol of the top level can be rewritten into, by rewriting."""
    if not len(rules):
        return [(symbol,)]
    found = []
    for side in rules[-1][symbol]:
        parts = [derived(rules[:-1], int(child)) for child in side]
        found += [tuple(itertools.chain(*choice)) for choice in itertools.product(*parts)]
    return found


@pytest.mark.parametrize(
    "options", [{"v": 3, "m": 2, "levels": 2}, {"v": 4, "m": 2, "s": 3, "levels": 1}], ids=str
)
def test_inside_parsing_finds_the_one_class_that_derives_a_string_and_none_for_others(options: Any) -> None:
    task = Rhm(**options)
    strings = {}
    for root in range(task.v):
        for string in derived(task.rules, root):
            assert strings.setdefault(string, root) == root  # the grammar is unambiguous
    for string in itertools.product(range(task.v), repeat=task.s**task.levels):
        inside = task.inside(list(string))
        assert np.flatnonzero(inside).tolist() == ([strings[string]] if string in strings else [])
        if string in strings:  # all derivations of a class are equally likely
            ways = sum(root == strings[string] for root in strings.values())
            assert inside.max() == pytest.approx(1 / ways)


def test_the_grammar_depends_on_its_own_seed_alone_and_all_splits_speak_it() -> None:
    task = Rhm()
    assert (task.rules == Rhm(train_items=512).rules).all()
    assert not (task.rules == Rhm(grammar=1).rules).all()
    for split, seed in itertools.product(task.splits, (0, 1)):
        for puzzle, key in load(task, 20, split, seed):
            assert task.search(puzzle) == key.answers[0]


def test_a_smaller_training_split_is_the_beginning_of_a_greater_one() -> None:
    small, large = (load(Rhm(train_items=p), None, "train") for p in (32, 48))
    assert (len(small), len(large)) == (32, 48)
    assert large[:32] == small


@pytest.mark.parametrize("levels", [2, 4, 6])
def test_latent_clustering_finds_every_hidden_symbol_from_eight_times_vm3_strings(levels: int) -> None:
    task, rng = Rhm(levels=levels), generator("latents", levels)
    roots = rng.integers(task.v, size=(8 * task.v * task.m**3, 1))
    strings = expand(roots, task.rules, rng)
    learned = learn(strings, roots[:, 0], task.v, task.s)
    rows, truth = strings, strings
    for clusters, rules in zip(learned.levels, task.rules, strict=False):
        owner = {
            int(tuples(side[None], task.v, task.s)[0, 0]): a
            for a, sides in enumerate(rules)
            for side in sides
        }
        truth = np.vectorize(owner.get)(tuples(truth, task.v, task.s))
        rows = clusters[tuples(rows, task.v, task.s)]
        pairs = set(zip(rows.ravel().tolist(), truth.ravel().tolist(), strict=True))
        assert len(pairs) == task.v  # a cluster for each symbol, a symbol for each cluster
    fresh = generator("fresh", levels).integers(task.v, size=(200, 1))
    found = learned.classes(expand(fresh, task.rules, generator("fresh strings", levels)))
    assert (found == fresh[:, 0]).mean() > 0.95


def test_the_method_latents_answers_from_the_training_split() -> None:
    task = Rhm(levels=3)
    items = load(task, 100)
    right = sum(
        task.judge(puzzle, key, task.methods["latents"](puzzle, generator("unused"))).correct
        for puzzle, key in items
    )
    assert right >= 95


@pytest.mark.parametrize(
    "options",
    [
        {"v": 1},
        {"m": 0},
        {"v": 8, "m": 9},
        {"levels": 9},
        {"s": 4, "levels": 6},
        {"train_items": 0},
        {"s": 8, "v": 64},
    ],
    ids=str,
)
def test_a_grammar_that_cannot_be_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=str(list(options.values())[-1])):
        registry.create("task", "rhm", options)


def facts_in(prompt: str) -> dict[tuple[str, str], str]:
    words = [line.rstrip(".").split() for line in prompt.split("\n") if line.startswith("The r")]
    return {(head, relation): tail for _, relation, _, head, _, tail in words}


def test_a_prompt_states_the_facts_that_are_needed_among_others() -> None:
    task = TwoHop()
    for split in task.splits:
        for puzzle, key in load(task, 20, split):
            prompt = task.prompt(puzzle)
            facts, at = facts_in(prompt), f"E{puzzle.payload['head']}"
            assert len(facts) >= task.clues
            for relation in puzzle.payload["relations"]:
                at = facts[at, f"r{relation}"]
            assert at == key.answers[0] == task.search(puzzle)
            assert isinstance(task.parse(prompt.replace("E5\n", "(name)\n"), puzzle), Unparsed)


def test_training_holds_every_fact_and_compositions_of_no_fact_set_apart() -> None:
    task = TwoHop(entities=30, relations=8, facts=5)
    together, apart = task.known(0)
    train = load(task, None, "train")
    facts = {
        (p.payload["head"], *p.payload["relations"]) for p, _ in train if len(p.payload["relations"]) == 1
    }
    assert facts == set(together) | set(apart)
    assert len(facts) == 30 * 5

    def parts(split: str) -> set[tuple[int, int]]:
        used = set()
        for puzzle, _ in load(task, None, split):
            head, relations = puzzle.payload["head"], puzzle.payload["relations"]
            if len(relations) == 2:
                middle = task.tail(0, head, relations[0])
                assert middle is not None
                used |= {(head, relations[0]), (middle, relations[1])}
        return used

    assert not (parts("train") | parts("test") | parts("validation")) & set(apart)
    assert parts("ood") <= set(apart)


def test_no_question_stands_in_two_splits_or_under_neighbouring_seeds_or_twice() -> None:
    task = TwoHop()
    seen = []
    for split, seed in itertools.product(task.splits, (0, 1)):
        items = load(task, None, split, seed)
        seen += [json.dumps(dict(p.payload)) for p, _ in items]
    assert len(seen) == len(set(seen))


def test_the_shortcut_over_one_hop_is_greedy_and_hardly_ever_right() -> None:
    task = TwoHop()
    items = load(task, 300)
    assert sum(task.judge(p, k, task.greedy(p)).correct for p, k in items) < 15
    singles = [item for item in load(task, 300, "train") if len(item[0].payload["relations"]) == 1]
    assert all(task.judge(p, k, task.greedy(p)).correct for p, k in singles)


@pytest.mark.parametrize(
    "answer",
    [None, 3, 3.0, "E", "E-1", "E100", "E1 ", "e17", ["E17"], "9" * 5_000_000, float("nan"), 1e400, {}],
    ids=lambda a: str(a)[:12],
)  # fmt: skip
@pytest.mark.parametrize("name", ["rhm", "two-hop"])
def test_what_is_no_answer_is_wrong_and_says_why(name: str, answer: Any) -> None:
    task = registry.create("task", name)
    puzzle, key = next(item for item in load(task, 50) if item[1].answers[0] != 3)
    verdict = task.judge(puzzle, key, answer)
    assert (verdict.correct, verdict.numbers["feasible"], verdict.numbers["constraints"]) == (False, 0, 0)
    assert 0 < len(task.violations(puzzle, answer)[0]) < 200


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rhm", "two-hop"])
def test_search_is_right_on_the_whole_test_split(name: str) -> None:
    task = registry.create("task", name)
    assert all(task.judge(puzzle, key, task.search(puzzle)).correct for puzzle, key in load(task, None))


@pytest.mark.slow
def test_no_string_of_100_000_stands_in_two_splits_or_under_neighbouring_seeds() -> None:
    task, seen = Rhm(levels=3, train_items=20_000), {}
    for split, seed in itertools.product(task.splits, (0, 1)):
        for puzzle, _ in load(task, 100_000 // 6, split, seed):
            assert seen.setdefault(tuple(puzzle.payload["tokens"]), (split, seed)) == (split, seed)
