"""No traceback from any option value and any file: whatever it is, it is read or refused in a sentence."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from harness.cli.main import COMMANDS, dispatch
from harness.options.describe import describe
from harness.registry import OURS, find
from tests.conftest import ROOT
from tests.fakes import EXAMPLES

COUNTING = f"{EXAMPLES / 'counting.py'}:Counting"
LOTTERY = f"{Path(__file__).parent / 'fakes.py'}:Lottery"
WEIGHTS = next((ROOT / "solvers").rglob("trm-sudoku-6x6.safetensors"))
EXAMPLES_EACH = int(os.environ.get("FUZZ", "15"))  # FUZZ=1000 for a long hunt
REPLAY = ["run", "--task", COUNTING, "--limit", "1", "--solver", "llm", "-S", "provider=replay"]
few = settings(
    max_examples=EXAMPLES_EACH, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip

VALUES = st.one_of(
    st.text(max_size=12).filter(lambda text: not re.search(r"\d{4}", text)),  # a long run is no fault
    st.sampled_from(
        ["", " ", "0", "-1", "1e400", "nan", "-inf", "9" * 40, "1_0", "٣", "None", "true", "/", "..", "-",
         "--", "~nobody/x",
         "a" * 300, "\ud800", "\x1b[31m", "=", ",", ",,", "1,2,", "x.py:Y", ":", ".py:", "%s"]
    ),
)  # fmt: skip
NASTY = (
    b"", b"\xff\xfe\x00\x00", b"[" * 100_000, b'{"a":' * 50_000, b"null", b"[]", b"{}", b"1e999", b"9" * 6000,
    b"NaN", b'"\\ud800"', b"\x00" * 64, "{}".encode("utf-16"), b"\xef\xbb\xbf{}", b"{}\n{}\n", b"\n\n",
    b"\x08\x00\x00\x00\x00\x00\x00\x00{}      ", b"PK\x03\x04" + b"\x00" * 30,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("DEPTHBENCH_DATA", "DEPTHBENCH_RESULTS", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


def ends(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that must end with a code and, if it is not 0, with a sentence; return what it said."""
    code = dispatch(words)
    said = capsys.readouterr().err
    assert code in (0, 1, 2), words
    assert code == 0 or said.strip(), words
    assert "Traceback" not in said, words
    return said


def mutations(valid: bytes) -> st.SearchStrategy[bytes]:
    """Return files like a valid one: cut off, with bytes or a word replaced, in another encoding; noise."""
    words = (b"null", b"-1", b'"x"', b"[]", b"{}", b"1e999", b"true", b"9" * 30, b'"\\ud800"', b"0.5")

    @st.composite
    def replaced(draw: st.DrawFn) -> bytes:
        start = draw(st.integers(0, max(0, len(valid) - 1)))
        end = draw(st.integers(start, min(len(valid), start + 12)))
        return valid[:start] + draw(st.sampled_from(words) | st.binary(max_size=3)) + valid[end:]

    cut = st.integers(0, len(valid)).map(lambda n: valid[:n])
    return st.one_of(cut, replaced(), st.binary(max_size=60), st.sampled_from(NASTY))


def values_replaced(valid: Any) -> st.SearchStrategy[Any]:
    """Return JSON objects with one value, anywhere in them, replaced by one of another kind, or left out."""
    places = list(_places(valid))
    other = st.sampled_from(
        [None, -1, 0, 1e300, 10**30, "x", "", [], {}, [[]], True, "\ud800", [None], {"a": 1}]
    )

    @st.composite
    def changed(draw: st.DrawFn) -> Any:
        place = draw(st.sampled_from(places))
        copy = json.loads(json.dumps(valid))
        inner = copy
        for step in place[:-1]:
            inner = inner[step]
        if isinstance(inner, dict) and draw(st.booleans()):
            del inner[place[-1]]
        else:
            inner[place[-1]] = draw(other)
        return copy

    return changed()


def _places(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        yield (*before, step)
        yield from _places(inner, (*before, step))


# --- options


@few
@given(data=st.data())
def test_any_value_of_any_option_of_a_command(
    data: st.DataObject, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = [
        "--task", "--solver", "--split", "--limit", "--sample-id", "--seed", "--max-connections",
        "--max-cost", "--fail-on-error", "--retry-on-error", "-T", "-S", "--data-dir", "--format", "--nope",
    ]  # fmt: skip
    words = ["run", "--task", COUNTING, "--solver", LOTTERY, "--limit", "2"]
    for _ in range(data.draw(st.integers(1, 2))):
        words += [data.draw(st.sampled_from(flags)), data.draw(VALUES)]
    ends(words, capsys)


@few
@given(command=st.sampled_from(sorted(set(COMMANDS) - {"view"})), words=st.lists(VALUES, max_size=3))
def test_any_words_behind_any_command(
    command: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    ends([command, *words], capsys)


@few
@given(data=st.data(), kind=st.sampled_from(["task", "solver"]))
def test_any_text_of_any_option_of_any_task_and_solver(
    data: st.DataObject, kind: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    name = data.draw(st.sampled_from(sorted(OURS[kind])))
    options = [option.name for option in describe(find(kind, name)) if option.name != "base_url"]
    if not options:
        return
    pair = f"{data.draw(st.sampled_from(options))}={data.draw(VALUES)}"
    if kind == "task":
        ends(["task", "show", name, "-T", pair, "--data-dir", "."], capsys)
    else:
        given_model = ["-S", "model=x", "-S", "provider=replay"] if name == "llm" else []
        ends(
            [
                "run",
                "--task",
                "sudoku",
                "-T",
                "size=4",
                "--limit",
                "1",
                "--solver",
                name,
                *given_model,
                "-S",
                pair,
            ],
            capsys,
        )


@few
@given(data=st.data())
def test_any_text_of_any_field_of_a_recipe(data: st.DataObject, capsys: pytest.CaptureFixture[str]) -> None:
    fields = [option.name for option in find("solver", "trm").recipe_options("trm-sudoku-tiny")]
    field, value = data.draw(st.sampled_from(fields)), data.draw(VALUES)
    train = ["train", "--task", "sudoku", "-T", "size=4", "--solver", "trm", "--recipe", "trm-sudoku-tiny"]
    small = [
        "-R",
        "optimiser_steps=1",
        "-R",
        "batch_size=2",
        "-R",
        "train_items=2",
        "-R",
        "validation_items=0",
    ]
    small += ["-R", "config.hidden_size=16", "-R", "config.num_heads=2", "--fresh", "--max-minutes", "0.2"]
    ends([*train, *small, "-R", f"{field}={value}"], capsys)


# --- files


@pytest.mark.parametrize(
    "command",
    [
        ["weights", "show", "FILE"], ["weights", "import", "FILE", "out.safetensors"],
        ["run", "--task", "sudoku", "--limit", "1", "--solver", "trm", "-S", "weights=FILE"],
        [*REPLAY, "-S", "model=FILE"],
        [*REPLAY, "-S", "model=x", "-S", "strategy=few-shot", "-S", "examples=FILE"],
        ["task", "show", "sudoku", "-T", "file=FILE"], ["run", "--task", "FILE.py:X", "--solver", "search"],
        ["show", "FILE"], ["leaderboard", "--results-dir", "FILE"],
    ],
    ids=lambda words: "-".join(w for w in words if w.isalpha())[:40],
)  # fmt: skip
@pytest.mark.parametrize("place", ["missing", "folder", "nasty"])
def test_any_file_in_place_of_the_one_that_is_wanted(
    command: list[str], place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "given"
    if place == "folder":
        file.mkdir()
    for content in NASTY if place == "nasty" else (b"",):
        if place == "nasty":
            for name in (file, tmp_path / "given.py"):
                name.write_bytes(content)
        ends([word.replace("FILE", str(file)) for word in command], capsys)


@few
@given(content=mutations(WEIGHTS.read_bytes()[:4000]))
def test_any_damage_to_a_weights_file(content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    Path("w.safetensors").write_bytes(content + WEIGHTS.read_bytes()[4000:])
    ends(["weights", "show", "w.safetensors"], capsys)
    ends(
        ["run", "--task", "sudoku", "--limit", "1", "--solver", "trm", "-S", "weights=w.safetensors"], capsys
    )


@few
@given(content=mutations(json.dumps({"test-0-0": ["```answer\n4\n```", "5"], "test-0-1": "x"}).encode()))
@example(content=b'{"test-0-0": ["' + b"9" * 100_000 + b'"]}')
def test_any_damage_to_a_file_of_replies(content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    Path("replies.json").write_bytes(content)
    shutil.rmtree("results", ignore_errors=True)
    replay = ["-S", "model=replies.json", "-S", "provider=replay"]
    ends(["run", "--task", COUNTING, "--limit", "2", "--solver", "llm", *replay], capsys)


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a finished run."""
    place = tmp_path_factory.mktemp("fuzz")
    words = ["run", "--task", COUNTING, "--solver", LOTTERY, "--limit", "4", "--results-dir", str(place)]
    assert dispatch(words) == 0
    (folder,) = (place / "runs").iterdir()
    return folder


READERS = (["leaderboard"], ["show", "RUN"], ["show", "RUN", "--sample-id", "test-0-0"], ["score", "RUN"],
           ["reprice"], ["leaderboard", "--format", "csv"])  # fmt: skip


def read_by_all(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in READERS:
        ends([word.replace("RUN", folder.name) for word in words], capsys)
    again = ["run", "--task", COUNTING, "--solver", LOTTERY, "--limit", "4"]
    ends(again, capsys)


def copy_of(run_folder: Path) -> Path:
    shutil.rmtree("results", ignore_errors=True)
    folder = Path("results/runs") / run_folder.name
    shutil.copytree(run_folder, folder)
    return folder


@settings(few, max_examples=EXAMPLES_EACH // 2)
@given(data=st.data(), name=st.sampled_from(["run.json", "attempts.jsonl", "summary.json"]))
def test_any_damage_to_a_file_of_a_run(
    data: st.DataObject, name: str, run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copy_of(run_folder)
    content = data.draw(mutations((folder / name).read_bytes()))
    (folder / name).write_bytes(content)
    read_by_all(folder, capsys)


@settings(few, max_examples=EXAMPLES_EACH + 15)
@given(data=st.data(), name=st.sampled_from(["run.json", "attempts.jsonl"]))
def test_any_value_of_another_kind_in_a_record(
    data: st.DataObject, name: str, run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copy_of(run_folder)
    if name == "run.json":
        record = data.draw(values_replaced(json.loads((folder / name).read_bytes())))
        (folder / name).write_text(json.dumps(record), encoding="utf-8")
    else:
        first, *rest = (folder / name).read_bytes().splitlines(keepends=True)
        changed = json.dumps(data.draw(values_replaced(json.loads(first)))).encode()
        (folder / name).write_bytes(b"\n".join([changed, b"".join(rest)]))
    read_by_all(folder, capsys)
