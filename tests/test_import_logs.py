"""Logs of other harnesses as runs: lm-eval's samples, inspect_ai's logs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cli.main import dispatch
from harness.exchange import lm_eval
from tasks.sudoku.generated import Sudoku

TASK = Sudoku(size=4)
ITEMS = TASK.load(split="test", seed=0, limit=3, data_dir=None)


def said(grid: list[list[int]]) -> str:
    return "```answer\n" + "\n".join("".join(map(str, row)) for row in grid) + "\n```"


RIGHT = [said(key.answers[0]) for _, key in ITEMS]


def sample(index: int, *texts: str, **more: Any) -> dict[str, Any]:
    """One line as lm-eval 0.4.9 writes it."""
    return {
        "doc_id": index,
        "doc": {"question": "…"},
        "target": "",
        "arguments": {"gen_args_0": {"arg_0": TASK.prompt(ITEMS[index][0]), "arg_1": {"until": []}}},
        "resps": [list(texts)],
        "filtered_resps": list(texts)[:1],
        "filter": "none",
        "metrics": ["exact_match"],
        "doc_hash": "0",
        "prompt_hash": "0",
        "target_hash": "0",
        "exact_match": 0.0,
        **more,
    }


def bring(capsys: pytest.CaptureFixture[str], source: str, path: Path, *more: str) -> tuple[int, Any, str]:
    results = path.parent / "r" if path.is_file() else path / "r"
    words = ["import", source, str(path), "--task", "sudoku", "--results-dir", str(results)]
    code = dispatch([*words, "--format", "json", *more])
    out = capsys.readouterr()
    return code, json.loads(out.out) if out.out else None, out.err


def write(folder: Path, rows: list[Any]) -> Path:
    """Write samples as `--log_samples` lays them out."""
    path = folder / "org__model-1b" / "samples_sudoku4_2026-03-01T10-00-00.000000.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def test_samples_of_lm_eval_are_a_run_on_the_tasks_own_puzzles(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        sample(0, RIGHT[0], RIGHT[0], exact_match=1.0),
        sample(
            0, RIGHT[0], RIGHT[0], exact_match=0.0, filter="strict"
        ),  # a second filter of the same replies
        sample(1, RIGHT[0], ""),
        sample(2, "I do not know.", RIGHT[2]),
    ]
    path = write(tmp_path, rows)
    code, (row,), err = bring(capsys, "lm-eval", path, "-T", "size=4")
    assert code == 0
    assert (row["model"], row["puzzles"], row["planned"]) == ("org/model-1b", 3, 6)
    outcomes = {k: v for k, v in row["outcomes"].items() if v}
    assert outcomes == {"correct": 3, "wrong": 1, "unparsed": 1, "provider_error": 1}
    assert "1 right here, not for the source" in err
    run = [
        "run",
        "--task",
        "sudoku",
        "-T",
        "size=4",
        "--limit",
        "3",
        "--solver",
        "search",
        "--format",
        "json",
    ]
    assert dispatch([*run, "--results-dir", str(path.parent / "r")]) == 0
    (net,) = json.loads(capsys.readouterr().out)
    records = [
        json.loads((path.parent / "r" / "runs" / name / "run.json").read_text())
        for name in (row["run"], net["run"])
    ]
    assert len({record["task"]["puzzles_sha256"] for record in records}) == 1  # the very same puzzles


def test_a_sample_may_carry_its_puzzle_and_the_results_name_the_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    puzzle, key = ITEMS[1]
    doc = {"id": "mine-7", "payload": dict(puzzle.payload), "answers": list(key.answers)}
    path = write(tmp_path, [sample(1, RIGHT[1], doc=doc, arguments=[["other words", {}]])])
    (path.parent / "results_2026-03-01T10-00-00.000000.json").write_text('{"model_name": "someone/else"}')
    code, (row,), _ = bring(capsys, "lm-eval", tmp_path)
    assert (code, row["model"], row["outcomes"]["correct"], row["planned"]) == (0, "someone/else", 1, 1)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([sample(0, RIGHT[0], arguments=[["What is 2 + 2?", {}]], doc_id=77)], "no puzzle of sudoku, doc 77"),
        ([{"a": 1}], "line 1: it has no doc_id and resps"),
        ([5], "line 1: it is no object"),
        ([], "it holds no reply"),
    ],
)
def test_samples_of_something_else_are_named(
    rows: list[Any], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found, err = bring(capsys, "lm-eval", write(tmp_path, rows), "-T", "size=4")
    assert (code, found) == (2, None)
    assert words in err
    assert "Traceback" not in err


def test_a_log_needs_a_task_and_other_sources_take_no_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dispatch(["import", "lm-eval", str(tmp_path)]) == 2
    assert "Give --task NAME" in capsys.readouterr().err
    assert dispatch(["import", "reasoning-gym", str(tmp_path), "-T", "size=4"]) == 2
    assert "takes no -T options" in capsys.readouterr().err


LINE = st.dictionaries(
    st.sampled_from(["doc_id", "doc", "resps", "arguments", "metrics", "exact_match"]),
    st.recursive(
        st.none() | st.booleans() | st.integers(-2, 3) | st.text(max_size=3) | st.just("exact_match"),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
        max_leaves=6,
    ),
)


@settings(max_examples=20, deadline=None)
@given(rows=st.lists(LINE, max_size=3))
def test_any_lines_are_replies_or_left_out_by_name(
    rows: list[Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = write(tmp_path_factory.mktemp("any"), rows)
    told: list[str] = []
    found = list(
        lm_eval.read(path, task="sudoku", model=None, left_out=told.append, task_options={"size": 4})
    )
    assert found or told


def test_logs_of_inspect_ai_are_read_by_its_own_reader(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("inspect_ai", reason="needs inspect_ai: pip install 'depthbench[inspect]'")
    import inspect_ai
    from inspect_ai.dataset import Sample
    from inspect_ai.model import ModelOutput, ModelUsage, get_model
    from inspect_ai.scorer import includes
    from inspect_ai.solver import generate

    monkeypatch.setenv("INSPECT_DISPLAY", "none")
    replies = [RIGHT[0], RIGHT[0], "", RIGHT[0], "I do not know.", RIGHT[2]]
    outputs = [ModelOutput.from_content("mockllm/model", text) for text in replies]
    for output in outputs:  # else its tokens are counted by a table that is downloaded
        output.usage = ModelUsage(input_tokens=50, output_tokens=20, total_tokens=70)
    samples = [Sample(id=puzzle.id, input=TASK.prompt(puzzle), target="zzz") for puzzle, _ in ITEMS]
    model = get_model("mockllm/model", custom_outputs=outputs)
    (log,) = inspect_ai.eval(
        inspect_ai.Task(dataset=samples, solver=generate(), scorer=includes(), epochs=2),
        model=model, log_dir=str(tmp_path / "logs"), log_format="eval", max_samples=1, max_connections=1,
    )  # fmt: skip
    assert log.status == "success"
    code, (row,), err = bring(capsys, "inspect", tmp_path / "logs", "-T", "size=4")
    assert code == 0
    assert (row["model"], row["puzzles"], row["planned"]) == ("mockllm/model", 3, 6)
    assert row["outcomes"]["provider_error"] == 1
    assert row["tokens_per_puzzle"] == 140
    assert sum(row["outcomes"].values()) == 6
    assert "right here, not for the source" in err
    (tmp_path / "logs" / "damaged.eval").write_bytes(b"PK\x03\x04cut")
    code, _, err = bring(capsys, "inspect", tmp_path / "logs", "-T", "size=4")
    assert code == 1
    assert "damaged.eval: inspect_ai cannot read it" in err
