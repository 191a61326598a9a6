"""`bench show`: the expected answer beside the given one, errors without colour, replies with prompts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rich.text import Text

from harness.cli.main import dispatch
from harness.cli.show import MOST_CHARACTERS, differences, marked

REPLIES = {"test-0-0": "```answer\n[[1]]\n```"}


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DEPTHBENCH_RESULTS", raising=False)


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    assert dispatch(["show", *words]) == 0
    return capsys.readouterr().out


def record(change: dict[str, Any]) -> None:
    """Change the only recorded attempt."""
    (file,) = Path("results/runs").rglob("attempts.jsonl")
    line = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(line | change) + "\n", encoding="utf-8")


def test_a_wrong_grid_stands_beside_the_expected_one_with_its_errors_marked_and_listed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert dispatch(["run", "--task", "sudoku", "-T", "size=4", "--solver", "search", "--limit", "1"]) == 0
    right = json.loads(next(Path("results/runs").rglob("attempts.jsonl")).read_text(encoding="utf-8"))[
        "answer"
    ]
    assert "✓ Attempt 0: correct" in shown(capsys, "search", "--sample-id", "test-0-0")
    wrong = [row[:] for row in right]
    wrong[3][1] = 1 + right[3][1] % 4
    record({"answer": wrong, "outcome": "wrong"})
    text = shown(capsys, "search", "--sample-id", "test-0-0")
    expected, _, given = text.partition("Expected answer")[2].partition("× Attempt 0: wrong")
    assert "×" not in expected
    assert given.count("×") == 1
    assert f"×{wrong[3][1]}" in given
    assert f"row 4 column 2: {wrong[3][1]}, expected {right[3][1]}" in given


def test_every_reply_that_is_recorded_is_shown_with_its_prompt_and_reasoning_shortened(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert dispatch(["run", "--task", "sudoku", "-T", "size=4", "--solver", "search", "--limit", "1"]) == 0
    long = "a" * MOST_CHARACTERS + "MIDDLE" + "z" * MOST_CHARACTERS
    calls = [{"prompt": "Ask\nfirst", "reply": "no"}, {"prompt": "Ask\nagain", "reply": long, "votes": 2}]
    record({"detail": {"calls": calls, "reasoning": "I think\x1b[31m\nso"}, "reply": long})
    text = shown(capsys, "search", "--sample-id", "test-0-0")
    for part in (
        "calls 1 of 2",
        "Ask\nfirst",
        "calls 2 of 2",
        "Ask\nagain",
        "votes: 2",
        "Reasoning\nI think\\x1b",
    ):
        assert part in text
    assert "MIDDLE" not in text
    assert "characters, --full shows them" in text
    assert shown(capsys, "search", "--sample-id", "test-0-0", "--full").count("MIDDLE") == 2


def test_red_parts_of_a_drawing_are_marked_where_there_is_room() -> None:
    drawn = Text.assemble((" 1", "green"), (" 2", "bold red"), " ", ("3", "red"), ("4", "red"))
    assert marked(drawn).plain == " 1×2×34"
    assert [str(span.style) for span in marked(drawn).spans][1:] == ["bold red underline"] + [
        "red underline"
    ] * 2
    assert marked("plain") == "plain"


def test_differences_are_told_of_grids_of_one_shape_with_one_right_answer() -> None:
    assert differences([[1, 2]], [[[1, 3]]]) == ["row 1 column 2: 2, expected 3"]
    many = differences([[0] * 20], [[[1] * 20]])
    assert (many[0], many[-1], len(many)) == ("20 cells differ from the expected answer:", "… 8 more", 14)
    for answer, expected in (
        ([[1]], [[[1, 2]]]),
        ([[1]], [[[2]], [[3]]]),
        (5, [6]),
        ([], [[[1]]]),
        ("x", ["y"]),
    ):
        assert differences(answer, expected) == []
