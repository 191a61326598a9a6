"""Tables fit where they are read: nothing is cut, the score is there, numbers are in units of people."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from harness.cli import tables, units
from harness.cli.main import dispatch
from harness.cli.options import Format
from harness.cli.tables import Column, Layout
from harness.errors import UserError

WIDTHS = (80, 100, 120)
TASK = Path(__file__).parent / "llm_task.py"
REPLIES = {f"test-0-{i}": "```answer\n12\n```" for i in range(20)}
SOLVERS = (
    ["search"], ["random"], [f"{Path(__file__).parent / 'fakes.py'}:Lottery"],
    [f"{Path(__file__).parent / 'fakes.py'}:Lottery", "-S", "failing=false"],
)  # fmt: skip


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("DEPTHBENCH_DATA", "DEPTHBENCH_RESULTS", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


def run(solver: list[str], *more: str) -> None:
    task = f"{Path(__file__).parent.parent / 'docs/examples/counting.py'}:Counting"
    assert dispatch(["run", "--task", task, "--solver", *solver, "--limit", "20", *more]) == 0


def six_runs() -> None:
    """Run four solvers and two recorded models with long names and many options."""
    for solver in SOLVERS:
        run(solver)
    for model in ("Qwen3-235B-A22B-Thinking-2507-FP8.json", "claude-opus-5-20261101.json"):
        Path(model).write_text(json.dumps(REPLIES), encoding="utf-8")
    run(["llm", "-S", "model=Qwen3-235B-A22B-Thinking-2507-FP8.json", "-S", "provider=replay"])
    options = ("strategy=self-consistency", "samples=8", "timeout=30", "max_retries=2")
    named = ["-S", "model=claude-opus-5-20261101.json", "-S", "provider=replay"]
    run(["llm", *named, *(word for option in options for word in ("-S", option))])


@pytest.mark.parametrize("columns", WIDTHS)
def test_after_six_runs_the_leaderboard_is_one_table_with_score_and_interval_that_fits(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    six_runs()
    capsys.readouterr()
    monkeypatch.setenv("COLUMNS", str(columns))
    assert dispatch(["leaderboard"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 30
    assert max(map(cell_len, lines)) <= columns
    heads = [line for line in lines if line.startswith("task")]
    assert len(heads) == 1
    assert {"task", "solver", "score", "run"} <= set(heads[0].split())
    assert "95 %" in heads[0]
    assert sum(" %" in line for line in lines[2:]) >= 6
    assert "…" not in "".join(lines)


@pytest.mark.parametrize("columns", [40, 60, *WIDTHS, 200])
@pytest.mark.parametrize(
    "command",
    [
        ["leaderboard"], ["leaderboard", "--front", "usd"], ["leaderboard", "--at-usd", "0.0005"],
        ["leaderboard", "--amortise", "100", "--wide"], ["analyse", "lottery"],
        ["leaderboard", "--published"], ["leaderboard", "--wide"],
        ["leaderboard", "--published", "--wide"], ["list", "recipes"], ["list", "tasks"], ["list", "solvers"],
        ["list", "recipes", "--wide"], ["show", "lottery"], ["show", "lottery", "--wide"], ["reprice"],
        ["cache", "list"], ["score", "lottery"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_no_line_of_any_table_is_wider_than_the_terminal(
    command: list[str], columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(SOLVERS[2])
    capsys.readouterr()
    monkeypatch.setenv("COLUMNS", str(columns))
    assert dispatch(command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert max(map(cell_len, lines)) <= columns


def test_a_pipe_has_no_width_and_gets_a_line_for_each_run(capsys: pytest.CaptureFixture[str]) -> None:
    run(SOLVERS[2])
    capsys.readouterr()
    assert dispatch(["leaderboard"]) == 0
    head, _, row, *_ = capsys.readouterr().out.splitlines()
    assert {"stored", "tokens/puzzle", "FLOPs/puzzle"} <= set(head.split())
    assert "lottery" in row.lower()


def test_columns_are_chosen_in_their_order_in_every_format(capsys: pytest.CaptureFixture[str]) -> None:
    run(SOLVERS[2])
    for form in ("table", "markdown", "latex"):
        capsys.readouterr()
        assert dispatch(["leaderboard", "--columns", "score, task", "--format", form]) == 0
        shown = capsys.readouterr().out
        assert shown.index("score") < shown.index("task")
        assert "solver" not in shown
    for form in ("json", "csv"):
        capsys.readouterr()
        assert dispatch(["leaderboard", "--columns", "score,task", "--format", form]) == 0
        shown = capsys.readouterr().out
        rows = json.loads(shown) if form == "json" else list(csv.DictReader(io.StringIO(shown)))
        assert list(rows[0]) == ["score", "task"]
    assert dispatch(["leaderboard", "--columns", "scoer"]) == 2
    assert "No column 'scoer'. Did you mean 'score'? Known: " in capsys.readouterr().err
    assert dispatch(["leaderboard", "--columns", ","]) == 2


def test_published_numbers_stand_beside_own_runs_and_have_no_rank_among_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    task = f"{Path(__file__).parent / 'arc_task.py'}:EasyArc"
    assert dispatch(["run", "--task", task, "--solver", "copy-input"]) == 0
    capsys.readouterr()
    assert dispatch(["leaderboard", "--published", "--format", "markdown"]) == 0
    head, _, *rows = (line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines())
    ranks = {(row[head.index("rank")], row[head.index("source")].startswith("run ")) for row in rows}
    assert ranks == {("1", True), ("–", False)}
    capsys.readouterr()
    assert dispatch(["leaderboard", "--published", "--format", "json"]) == 0
    assert {row["origin"] for row in json.loads(capsys.readouterr().out)} == {"run", "published"}


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo-terminal")
@pytest.mark.parametrize("columns", WIDTHS)
def test_a_real_terminal_tells_its_width(columns: int) -> None:
    import fcntl
    import pty
    import struct
    import termios

    run(SOLVERS[2])
    main, worker = pty.openpty()
    fcntl.ioctl(worker, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "harness.cli.main", "leaderboard", "--published"],
        stdout=worker, stderr=worker,
        env={k: v for k, v in os.environ.items() if k != "COLUMNS"} | {"TERM": "xterm"},
    )  # fmt: skip
    os.close(worker)
    shown = b""
    try:
        while block := os.read(main, 4096):
            shown += block
    except OSError:  # the other side is closed
        pass
    os.close(main)
    assert process.wait() == 0
    lines = shown.decode().splitlines()
    assert columns - 20 < max(map(cell_len, lines)) <= columns


CELLS = st.text(max_size=40)


@settings(max_examples=100, deadline=None)
@given(
    data=st.data(), room=st.integers(20, 130), wide=st.booleans(),
    kinds=st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.integers(1, 30)), min_size=1, max_size=8),
)  # fmt: skip
def test_whatever_stands_in_its_cells_a_table_fits_and_cuts_no_cell_it_shows(
    data: Any, room: int, wide: bool, kinds: list[tuple[int, bool, int]]
) -> None:
    columns = [
        Column(f"c{i}", rank, wraps=wraps, least=least) for i, (rank, wraps, least) in enumerate(kinds)
    ]
    rows = data.draw(st.lists(st.lists(CELLS, min_size=len(kinds), max_size=len(kinds)), max_size=4))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(room))
        out = io.StringIO()
        patch.setattr(sys, "stdout", out)
        tables.write(columns, rows, (), Format.TABLE, Layout(wide=wide))
    lines = out.getvalue().split("\n")
    assert max(map(cell_len, lines)) <= room
    letters = sorted(c for line in lines for c in line)
    for i, column in enumerate(columns):
        if column.rank == 0 or wide:
            for row in rows:
                for letter in tables.visible(row[i]).replace(" ", ""):
                    assert letter in letters


def test_a_word_wider_than_its_column_goes_on_after_a_sign_that_joins_words() -> None:
    assert tables.folded("model=Qwen/Qwen3-235B-A22B-Instruct", 16) == [
        "model=Qwen/",
        "Qwen3-235B-A22B-",
        "Instruct",
    ]
    assert tables.folded("a" * 10, 4) == ["aaaa", "aaaa", "aa"]
    assert tables.folded("数独" * 3, 4) == ["数独"] * 3
    assert tables.folded("", 4) == [""]


def test_escape_sequences_and_line_ends_in_a_name_do_not_reach_the_terminal() -> None:
    assert tables.visible("a\x1b[31mb\nc\td") == "a\\x1b[31mb c d"


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (units.usd(None), "–"), (units.usd(0), "$0"), (units.usd(1.4e-10), "<$0.000001"),
        (units.usd(0.00042), "$0.00042"), (units.usd(0.0123), "$0.012"), (units.usd(1234.5), "$1,234.50"),
        (units.usd(0.9999), "$1.00"), (units.usd(-0.5), "-$0.50"), (units.usd(float("nan")), "$nan"),
        (units.seconds(None), "–"), (units.seconds(0), "0 s"), (units.seconds(9.55e-5), "95.5 µs"),
        (units.seconds(0.0181), "18.1 ms"), (units.seconds(0.9999), "1 s"), (units.seconds(89), "89 s"),
        (units.seconds(1200), "20 min"), (units.seconds(86400), "24 h"), (units.seconds(1e-12), "<0.01 µs"),
        (units.parameters(109e9), "109B"), (units.parameters(254_000), "254k"), (units.parameters(None), "–"),
        (units.quantity(None), "–"), (units.quantity(0), "0"), (units.quantity(254_000), "254k"),
        (units.quantity(999_999), "1M"), (units.quantity(471e6), "471M"), (units.quantity(1e-5), "0.00001"),
        (units.share(0.9996), "100.0 %"), (units.span(0.981, 1.0), "98.1–100.0"),
    ],
)  # fmt: skip
def test_numbers_are_in_units_that_a_person_reads(written: str, text: str) -> None:
    assert written == text


def test_latex_escapes_what_it_would_read_as_commands(capsys: pytest.CaptureFixture[str]) -> None:
    tables.write(["a"], [[r"\x{1}_~^<>×"]], (), Format.LATEX)
    assert (
        r"\textbackslash{}x\{1\}\_\textasciitilde{}\textasciicircum{}\textless{}\textgreater{}$\times$ \\"
        in capsys.readouterr().out
    )


def test_an_unknown_column_is_named() -> None:
    with pytest.raises(UserError, match="No column 'b'"):
        tables.write(["a"], [["1"]], (), Format.TABLE, Layout(columns="b"))
