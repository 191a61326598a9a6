"""Options can be found, and are read strictly: unknown names, odd numbers, options inside options."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cli.main import dispatch
from harness.errors import UserError
from harness.options import build, docstring, parse_pairs
from harness.options.describe import describe
from harness.registry import OURS, create, find
from tests.fakes import EXAMPLES


@dataclass(frozen=True, kw_only=True)
class Inner:
    """rate: of change. Further words are not shown."""

    rate: float = 0.5
    model: str


@dataclass(frozen=True, kw_only=True)
class Outer:
    """Holds everything an option can be."""

    first: Inner = field(default_factory=lambda: Inner(model="m"))
    second: Mapping[str, Any] = field(default_factory=dict)  # another solver
    # how many
    # there are
    count: int = 1
    ratio: float = field(default=1.0, metadata={"help": "told by metadata", "finite": False})
    share: float | None = None
    kind: Literal["a", "b"] = "a"
    parts: tuple[float, ...] = ()


@dataclass(frozen=True)
class Untold:
    knob: int = 3


FIRST = "option 'first' of solver 'outer'"


def made(**options: Any) -> Any:
    return build(Outer, options, owner="solver 'outer'", flag="-S")


def test_the_signature_that_a_dataclass_has_for_a_docstring_tells_nothing() -> None:
    assert "knob" in (Untold.__doc__ or "")
    assert [(option.name, option.help) for option in describe(Untold)] == [("knob", "")]
    assert docstring(Untold) == ""
    assert docstring(Outer) == "Holds everything an option can be."


def test_an_option_may_have_options_of_its_own_in_a_dataclass_and_in_a_mapping() -> None:
    outer = made(**{"first.model": "x", "first.rate": "0.25", "second": "llm", "second.model": "y"})
    assert outer.first == Inner(model="x", rate=0.25)
    assert outer.second == {"name": "llm", "model": "y"}
    assert made(second="llm").second == {"name": "llm"}
    assert made(second={"name": "llm"}, **{"second.first.model": "z"}).second == {
        "name": "llm", "first.model": "z",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"first.rate": "1"}, f"{FIRST} needs a value for model. Give -S first.model=VALUE."),
        ({"first.modle": "1"}, f"{FIRST} has no option 'modle'. Did you mean 'model'?"),
        ({"first": "x"}, f"'x' is not a value for {FIRST}. It has options: rate, model."),
        ({"count.x": "1"}, "-S count.x reaches into option 'count' of solver 'outer'. That option has none"),
        ({".x": "1"}, "-S '.x' names no option."),
        ({"first.": "1"}, "-S 'first.' names no option."),
        ({"count": "1e3"}, "option 'count' of solver 'outer'. It takes a whole number: 1000."),
        ({"count": "1_000"}, "'1_000' is not a value"),
        ({"count": "١٢"}, "'١٢' is not a value"),
        ({"count": "9" * 30}, "It takes a whole number between -2^63 and 2^63."),
        ({"count": "9" * 9000}, "… (9,000 characters) is not a value"),
        ({"count": "1.5"}, "It takes a whole number."),
        ({"share": "nan"}, "'nan' is not a value for option 'share' of solver 'outer'."),
        ({"share": "-Infinity"}, "It takes a finite number."),
        ({"share": "1e400"}, "It takes a finite number."),
        ({"share": math.inf}, "It takes a finite number."),
        ({"share": "1_0.0"}, "It takes a number."),
        ({"share": "0x10"}, "It takes a number."),
        ({"parts": "1,nan"}, "It takes a finite number."),
        ({"kind": "c"}, "Known: a, b."),
        ({"x" * 500: "1"}, "characters)"),
    ],
)  # fmt: skip
def test_a_value_that_is_none_is_refused_with_the_rule(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as error:
        made(**options)
    assert message in str(error.value)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize(
    "options", [{"count": None}, {"count": 1.5}, {"count": True}, {"share": []}, {"kind": 1}, {"parts": 1},
                {"parts": [None]}, {"second": 3}],
)  # fmt: skip
def test_a_value_from_python_or_a_record_is_of_the_kind_of_its_field(options: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"is not a value for option"):
        made(**options)
    fine = made(count=2, share=1, kind="b", parts=[1, 2.5], second={})
    assert (fine.count, fine.share, fine.parts) == (2, 1, [1, 2.5])


def test_a_field_may_allow_what_is_not_finite() -> None:
    assert made(ratio="inf").ratio == math.inf
    assert (made(count=" -7 ").count, made(share="+.5e-1").share, made(share="none").share) == (
        -7,
        0.05,
        None,
    )


@given(st.text())
def test_whatever_the_text_it_is_read_or_refused(text: str) -> None:
    for name in ("first", "first.rate", "second", "count", "ratio", "share", "kind", "parts", text):
        with suppress(UserError):
            made(**{name: text})


@given(st.text())
def test_whatever_stands_behind_a_flag_is_a_pair_or_refused(text: str) -> None:
    try:
        pairs = parse_pairs([text], "-S")
    except UserError:
        assert not text.partition("=")[0].strip() or "=" not in text
    else:
        assert len(pairs) == 1


def test_the_line_of_an_option_comes_from_metadata_a_comment_or_the_docstring() -> None:
    told = {option.name: option for option in describe(Outer)}
    assert told["ratio"].help == "told by metadata"
    assert told["count"].help == "how many there are"
    assert told["second"].help == "another solver"
    assert told["first.rate"].help == "of change"
    assert (told["first.model"].default, told["count"].default, told["parts"].default) == (None, "1", "none")
    assert (told["kind"].type, told["share"].type, told["parts"].type) == ("a|b", "number", "number, …")


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in OURS for name in OURS[kind]])
def test_every_option_of_every_task_and_solver_says_what_it_is(kind: Any, name: str) -> None:
    found = find(kind, name)
    for option in describe(found):
        assert option.help, f"{name}: a comment after the field {option.name!r} is missing"
        assert "\n" not in option.help
    for recipe in getattr(found, "recipes", list)():
        for option in found.recipe_options(recipe["recipe"]):
            assert option.help, f"{recipe['recipe']}: a comment after {option.name!r} is missing"


def test_options_are_listed_of_ours_of_plugins_of_recipes_and_of_strategies(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert dispatch(["list", "options", "--task", "maze", "--solver", "trm", "--format", "json"]) == 0
    rows = {(row["flag"], row["name"]): row for row in json.loads(capsys.readouterr().out)}
    assert rows["-T", "walls"]["default"] == "0.37"
    assert rows["-S", "halt"]["type"] == "score|agree|never"
    plugin = f"{EXAMPLES / 'repeat_last.py'}:RepeatLast"
    assert dispatch(["list", "options", "--solver", plugin]) == 0
    assert "-S offset" in capsys.readouterr().out
    assert dispatch(["list", "options", "--recipe", "hrm-sudoku-small", "--format", "json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert (rows["config.H_layers"]["default"], rows["optimiser_steps"]["default"]) == ("2", "1500")
    assert "config.vocab_size" not in rows
    assert dispatch(["list", "options", "--solver", "llm"]) == 0
    assert "-S strategy=best-of-n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["list", "options"], "needs to know of what. Give --task, --solver or --recipe NAME."),
        (
            ["list", "options", "--recipe", "trm-sudoku-smal"],
            "Unknown recipe 'trm-sudoku-smal'. Did you mean",
        ),
        (["list", "options", "--task", "suduko"], "Unknown task 'suduko'. Did you mean 'sudoku'?"),
    ],
)
def test_what_has_no_options_to_list_is_said(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dispatch(arguments) == 2
    assert message in capsys.readouterr().err


def test_help_beside_a_solver_and_a_task_shows_what_they_take(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["run", "--task=maze", "--solver", "search", "--help"]) == 0
    assert "-T walls" in capsys.readouterr().out
    assert dispatch(["run", "--help"]) == 0
    assert "`bench list options --task NAME`" in capsys.readouterr().out


def test_a_source_that_cannot_be_read_leaves_the_docstring() -> None:
    space: dict[str, Any] = {}
    code = '@dataclass\nclass Made:\n    "size: of it."\n    size: int = 1  # no\n'
    exec(compile(f"from dataclasses import dataclass\n{code}", "nowhere", "exec"), space)
    assert [option.help for option in describe(space["Made"])] == ["of it"]


def test_recipes_are_listed_that_were_made_for_a_task(capsys: pytest.CaptureFixture[str]) -> None:
    def listed(*words: str) -> set[str]:
        capsys.readouterr()
        assert dispatch(["list", "recipes", *words, "--format", "json"]) == 0
        return {row["recipe"] for row in json.loads(capsys.readouterr().out)}

    four = listed("--task", "sudoku", "-T", "size=4", "--solver", "trm")
    assert "trm-sudoku-tiny" in four
    assert not four & {"trm-maze-small", "trm-arc1-paper", "hrm-sudoku-small"}
    assert "trm-maze-small" in listed("--task", "maze-unique")
    assert "trm-sudoku-tiny" not in listed("--task", "maze-unique")
    assert dispatch(["list", "recipes", "--solver", "trn"]) == 2
    assert "Did you mean 'trm'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"size": 5}, "It is one of 4, 6 and 9"),
        ({"difficulty": 1}, "It is one of easy, medium and hard"),
        ({"file": 3}, "It takes a path"),
    ],
)
def test_a_value_of_the_wrong_kind_from_python_is_told_what_the_option_takes(
    options: dict[str, Any], rule: str
) -> None:
    with pytest.raises(UserError, match=rule):
        create("task", "sudoku", options)
