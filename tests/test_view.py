"""The viewer behind `bench view`: what it answers, whom it refuses; what it is told never runs as code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
from starlette.testclient import TestClient

from harness import run
from harness.cli.main import dispatch
from harness.errors import UserError
from harness.records.folder import RunFolder
from harness.running.runner import score
from harness.view.app import application, static_files
from harness.view.guard import POLICY
from harness.view.library import Library
from harness.view.serve import listen
from tests.fakes import Counting, Lottery

FAKES = Path(__file__).with_name("fakes.py")
HOST, TOKEN = "127.0.0.1:8123", "a-token"


def client(library: Library) -> TestClient:
    return TestClient(application(library, token=TOKEN, port=8123), base_url=f"http://{HOST}")


def answer(viewer: TestClient, name: str, **query: Any) -> dict[str, Any]:
    """Return what the page is told once it has waited."""
    for _ in range(600):
        reply = viewer.get(f"/{TOKEN}/api/{name}", params=query)
        if reply.status_code != 202:
            assert reply.status_code == 200, reply.text
            return reply.json()
        time.sleep(0.05)
    raise AssertionError("it waits for ever")


def listed(viewer: TestClient) -> list[dict[str, Any]]:
    """Return the list of runs once all are read."""
    for _ in range(200):
        found = answer(viewer, "runs")
        if not found["waiting"]:
            return list(found["runs"])
    raise AssertionError("it reads for ever")


def refused(viewer: TestClient, name: str, **query: Any) -> str:
    reply = viewer.get(f"/{TOKEN}/api/{name}", params=query)
    assert reply.status_code == 400
    return str(reply.json()["error"])


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a run of every outcome and two of another task."""
    folder = tmp_path_factory.mktemp("results")
    run(f"{FAKES}:TwoTries", Lottery(), limit=40, results_dir=folder)
    run("sudoku", "search", task_options={"size": 4}, limit=4, results_dir=folder)
    run("sudoku", "random", task_options={"size": 4}, limit=3, results_dir=folder)
    return folder


@pytest.fixture
def viewer(results: Path) -> Iterator[TestClient]:
    with client(Library(results, trusted=True)) as found:
        yield found


def named(results: Path, part: str) -> str:
    (found,) = (path.name for path in (results / "runs").iterdir() if part in path.name)
    return found


def lines_of(results: Path, part: str) -> list[dict[str, Any]]:
    text = (results / "runs" / named(results, part) / "attempts.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_every_run_is_listed_with_the_numbers_of_its_summary(viewer: TestClient, results: Path) -> None:
    entries = {entry["run"]: entry for entry in listed(viewer)}
    assert set(entries) == {path.name for path in (results / "runs").iterdir()}
    for name, entry in entries.items():
        summary = RunFolder(results / "runs" / name).summary()
        assert summary is not None
        assert (entry["score"], entry["low"], entry["high"]) == (
            summary.headline.score,
            summary.headline.low,
            summary.headline.high,
        )
        assert entry["outcomes"] == summary.outcomes
        assert entry["state"] == "complete"


def test_attempts_are_filtered_ordered_and_paged_as_a_plain_reading_of_the_lines_says(
    viewer: TestClient, results: Path
) -> None:
    name, lines = named(results, "lottery"), lines_of(results, "lottery")
    assert answer(viewer, "run", run=name)["planned"] == len(lines) == 80
    for outcome in ("wrong", "refused", "correct,timed_out"):
        wanted = {
            (line["puzzle"], line["attempt"]) for line in lines if line["outcome"] in outcome.split(",")
        }
        rows = []
        for page in range(20):
            found = answer(viewer, "attempts", run=name, outcome=outcome, size=10, page=page)
            rows += found["rows"]
            if page + 1 == found["pages"]:
                break
        assert [(row["puzzle"], row["attempt"]) for row in rows] == sorted(
            wanted, key=lambda pair: (int(pair[0].rpartition("-")[2]), pair[1])
        )
        assert found["total"] == len(wanted)
    slowest = answer(viewer, "attempts", run=name, order="-seconds", size=100)["rows"]
    seconds = [row["seconds"] for row in slowest]
    assert seconds == sorted(seconds, reverse=True)
    text = answer(viewer, "attempts", run=name, text="DRAWN", size=100)
    assert text["total"] == sum(line.get("detail", {}).get("error") == "drawn" for line in lines) > 0
    assert answer(viewer, "attempts", run=name, text="outcome")["total"] == 0  # a key, no text of an attempt
    assert answer(viewer, "attempts", run=name, text="test-0-7", size=10)["total"] == 2


def test_difficulty_is_a_range_with_its_ends(viewer: TestClient, results: Path) -> None:
    name = named(results, "search")
    known = RunFolder(results / "runs" / name).record().puzzles.difficulty
    low = sorted(d for d in known if d is not None)[1]
    found = answer(viewer, "attempts", run=name, low=low, high=low)
    assert found["total"] == list(known).count(low)


def test_a_puzzle_is_drawn_by_its_task_and_replayed_step_by_step(viewer: TestClient, results: Path) -> None:
    name, lines = named(results, "lottery"), lines_of(results, "lottery")
    line = next(line for line in lines if line["outcome"] == "correct")
    found = answer(viewer, "puzzle", run=name, id=line["puzzle"], attempt=line["attempt"])
    assert found["outcome"] == "correct"
    assert [step["depth"] for step in found["steps"]] == [1, 2]
    assert [step["correct"] for step in found["steps"]] == [0.0, 1.0]
    assert "-1" in text_of(found["steps"][0]["drawing"])
    assert "changed" in json.dumps(found["steps"][1]["drawing"])
    assert "changed" not in json.dumps(found["steps"][0]["drawing"])
    assert str(line["answer"]) in text_of(found["answer"])


def test_a_net_records_how_sure_it_was_at_each_depth_and_the_page_plots_it(tmp_path: Path) -> None:
    options = {"depths": [1, 2, 4], "halt": "never", "threads": 1}
    made = run("sudoku", "trm", solver_options=options, limit=2, results_dir=tmp_path)
    for attempt in made.folder.attempts():
        scores = [point.halt_score for point in attempt.trace]
        assert len({*scores}) > 1
        assert scores[-1] == attempt.detail["halt_score"]
    with client(Library(tmp_path)) as viewer:
        found = answer(viewer, "puzzle", run=made.folder.name, pair=0)
        first = made.folder.attempts()[0]
        assert [step["halt_score"] for step in found["steps"]] == [p.halt_score for p in first.trace]
        assert [step["violations"] for step in found["steps"]][-1] == 0


def text_of(lines: list[list[list[str]]]) -> str:
    return "\n".join("".join(span[0] for span in line) for line in lines)


@pytest.mark.parametrize("task", ["sudoku", "maze", "futoshiki"])
def test_of_a_large_run_the_one_puzzle_is_made_alone(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.view import library as shelves

    made = run(task, "random", limit=4, results_dir=tmp_path)
    monkeypatch.setattr(shelves, "WHOLE_SPLIT", 3)
    monkeypatch.setattr(shelves, "items_of", None)  # which makes them all
    with client(Library(tmp_path)) as viewer:
        for pair, puzzle in enumerate(made.folder.record().puzzles.ids):
            page = answer(viewer, "puzzle", run=made.folder.name, pair=pair)
            assert (page["puzzle"], page["proved"]) == (puzzle, False)
            assert page["drawing"]


def test_runs_stand_side_by_side_on_the_same_puzzles(viewer: TestClient, results: Path) -> None:
    exact, chance = named(results, "search"), named(results, "random")
    for limit in (10, 25):
        found = answer(viewer, "attempts", run=exact, size=limit, **{"with": chance})
    assert [row["beside"] for row in found["rows"]][3] == [None]  # the other planned three
    outcomes = [line["outcome"] for line in lines_of(results, "random")]
    assert [row["beside"][0] for row in found["rows"][:3]] == outcomes
    unlike = answer(viewer, "attempts", run=exact, differ=1, **{"with": chance})
    assert unlike["total"] == 4 - outcomes.count("correct")
    one, other = (answer(viewer, "puzzle", run=name, id="test-0-1") for name in (exact, chance))
    assert one["content"] == other["content"]
    assert one["violations"] == []
    assert bool(other["violations"]) == (other["outcome"] == "wrong")


def test_what_is_asked_wrongly_is_refused_with_a_sentence(viewer: TestClient, results: Path) -> None:
    name = named(results, "search")
    for query, words in (
        ({"run": "../../etc"}, "No run"),
        ({"run": ""}, "No run"),
        ({"run": name, "outcome": "rong"}, "No outcome 'rong'"),
        ({"run": name, "low": "x"}, "no number"),
        ({"run": name, "order": "x"}, "No order"),
        ({"run": name, "page": "-1"}, "page is '-1'"),
        ({"run": name, "size": "7"}, "size is '7'"),
        ({"run": name, "text": "x" * 500}, "500 characters"),
    ):
        answer(viewer, "run", run=name)
        assert words in refused(viewer, "attempts", **query)
    assert "did not plan" in refused(viewer, "puzzle", run=name, id="test-0-99")
    assert "pair is '4'" in refused(viewer, "puzzle", run=name, pair=4)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": HOST}, 200),
        ({"host": "localhost:8123"}, 200),
        ({"host": "evil.example:8123"}, 421),
        ({"host": "127.0.0.1:9999"}, 421),
        ({"host": "127.0.0.1.evil.example:8123"}, 421),
        ({"origin": f"http://{HOST}"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "script"}, 403),
        ({"sec-fetch-site": "same-site", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}, 403),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}, 403),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}, 200),
    ],
)
def test_only_the_page_itself_is_answered(viewer: TestClient, headers: dict[str, str], status: int) -> None:
    for path in ("", "api/runs", "static/main.js"):
        reply = viewer.get(f"/{TOKEN}/{path}", headers=headers)
        assert reply.status_code == status
        assert reply.headers["content-security-policy"] == POLICY
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in reply.headers


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api/runs",
        "/static/main.js",
        "/a-toke/",
        "/a-token2/",
        "/A-TOKEN/",
        "//a-token/",
        "/%00/",
        "/é/",
    ],
)
def test_without_the_token_nothing_is_told(viewer: TestClient, path: str) -> None:
    reply = viewer.get(path)
    assert reply.status_code == 403
    assert "token" in reply.text
    assert TOKEN not in reply.text


@pytest.mark.parametrize(
    "path",
    ["../guard.py", "..%2fguard.py", "%2e%2e/guard.py", "....//guard.py", "/etc/passwd", "%2fetc%2fpasswd",
     "main.js/../../app.py", "..\\app.py", "main.js%00.css", "__init__.py"],
)  # fmt: skip
def test_no_path_leads_out_of_the_pages(viewer: TestClient, path: str) -> None:
    reply = viewer.get(f"/{TOKEN}/static/{path}")
    assert reply.status_code in (403, 404)
    assert "import" not in reply.text
    assert "root:" not in reply.text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_it_only_reads(viewer: TestClient, method: str) -> None:
    assert viewer.request(method, f"/{TOKEN}/api/runs").status_code == 405


def test_the_pages_hold_no_inline_script_or_style_and_name_no_other_place() -> None:
    held = static_files()
    assert {"index.html", "main.js", "style.css"} <= set(held)
    page = held["index.html"][0].decode()
    assert page.count("<script") == 1
    assert "<style" not in page
    for name, (data, _) in held.items():
        text = data.decode()
        assert "innerHTML" not in text, name
        assert " style=" not in text, name
        assert "eval(" not in text, name
        assert not [w for w in ("http://", "https://", "//cdn") if w in text.replace("http://www.w3.org", "")]


HOSTILE = "<img src=x onerror=\"document.title='hit'\"></script><script>alert(1)</script>\u202e\x1b[31m\ud800"


def test_whatever_a_file_says_is_told_as_text(tmp_path: Path) -> None:
    made = run("sudoku", "search", task_options={"size": 4}, limit=1, results_dir=tmp_path)
    line = json.loads(made.folder.attempts_path.read_bytes())
    line |= {"outcome": "unparsed", "reply": HOSTILE, "detail": {"error": HOSTILE, HOSTILE: {"a": HOSTILE}}}
    line.pop("answer"), line.pop("numbers")
    made.folder.attempts_path.write_text(json.dumps(line) + "\n", encoding="utf-8")
    told = json.loads(made.folder.run_path.read_bytes())
    told["card"]["model"] = told["created"] = HOSTILE
    made.folder.run_path.write_text(json.dumps(told), encoding="utf-8")
    with client(Library(tmp_path)) as viewer:
        (entry,) = listed(viewer)
        assert "onerror" in entry["model"]
        found = answer(viewer, "puzzle", run=made.folder.name, pair=0)
        assert found["reply"] == [entry["model"]]
        for text in (entry["model"], *found["reply"]):
            assert "\u202e" not in text
            assert "\x1b" not in text
            assert "\\u{202e}" in text
        raw = viewer.get(f"/{TOKEN}/api/puzzle", params={"run": made.folder.name, "pair": 0})
        assert raw.headers["content-type"] == "application/json"


def test_a_task_from_a_file_is_not_loaded_unless_it_is_trusted(tmp_path: Path) -> None:
    proof = tmp_path / "ran"
    file = tmp_path / "mine.py"
    source = "from tests.fakes import Counting\nclass Mine(Counting):\n    name = 'mine'\n"
    file.write_text(source, encoding="utf-8")
    made = run(f"{file}:Mine", Lottery(), limit=2, results_dir=tmp_path)
    file.write_text(f"open({str(proof)!r}, 'w').close()\n{source}", encoding="utf-8")
    with client(Library(tmp_path)) as viewer:
        found = answer(viewer, "puzzle", run=made.folder.name, pair=0)
        assert "--trust" in found["problem"]
        assert "drawing" not in found
        assert not proof.exists()
    with client(Library(tmp_path, trusted=True)) as viewer:
        assert "drawing" in answer(viewer, "puzzle", run=made.folder.name, pair=0)


def test_a_growing_run_is_read_on_and_a_torn_line_waits(tmp_path: Path) -> None:
    made = run(Counting(), Lottery(), limit=30, results_dir=tmp_path)
    lines = made.folder.attempts_path.read_bytes().splitlines(keepends=True)
    made.folder.attempts_path.write_bytes(b"".join(lines[:10]))
    with client(Library(tmp_path)) as viewer:
        name = made.folder.name
        assert answer(viewer, "run", run=name)["recorded"] == 10
        before = answer(viewer, "run", run=name)["version"]
        with made.folder.attempts_path.open("ab") as file:
            file.write(lines[10] + lines[11][:20])
        state = answer(viewer, "run", run=name)
        assert state["recorded"] == 11
        assert state["version"] != before
        with made.folder.attempts_path.open("ab") as file:
            file.write(lines[11][20:] + b"".join(lines[12:]))
        assert answer(viewer, "run", run=name)["recorded"] == 30
        newest = answer(viewer, "attempts", run=name, order="newest", size=10)["rows"][0]
        assert newest["puzzle"] == json.loads(lines[-1])["puzzle"]
        made.folder.attempts_path.write_bytes(b"".join(lines[5:10]))  # somebody restored an older file
        assert answer(viewer, "run", run=name)["recorded"] == 5


def test_a_retried_attempt_counts_by_its_last_line_and_a_later_verdict_is_laid_over_it(
    tmp_path: Path,
) -> None:
    made = run("sudoku", "random", task_options={"size": 4}, limit=3, results_dir=tmp_path)
    lines = [json.loads(line) for line in made.folder.attempts_path.read_bytes().splitlines()]
    lines[0] |= {"outcome": "correct"}
    again = dict(lines[1], outcome="refused")
    again.pop("answer"), again.pop("numbers")
    text = "".join(json.dumps(line) + "\n" for line in [*lines, again])
    made.folder.attempts_path.write_text(text, encoding="utf-8")
    with client(Library(tmp_path)) as viewer:
        name = made.folder.name
        counts = answer(viewer, "run", run=name)["outcomes"]
        assert (counts["correct"], counts["refused"], counts["wrong"]) == (1, 1, 1)
        score(made.folder)
        counts = answer(viewer, "run", run=name)["outcomes"]
        assert (counts["correct"], counts["refused"], counts["wrong"]) == (0, 1, 2)
        assert answer(viewer, "puzzle", run=name, pair=0)["outcome"] == "wrong"


def test_a_damaged_line_and_a_damaged_run_are_named_and_take_nothing_down(tmp_path: Path) -> None:
    made = run(Counting(), Lottery(), limit=5, results_dir=tmp_path)
    lines = made.folder.attempts_path.read_bytes().splitlines(keepends=True)
    lines[1] = b"{torn}\n"
    lines[2] = lines[2].replace(b'"puzzle":"test', b'"puzzle":"tset')
    lines[3] = b'{"schema":99,"puzzle":"x","attempt":0}\n'
    made.folder.attempts_path.write_bytes(b"".join(lines))
    other = tmp_path / "runs" / "broken"
    other.mkdir()
    (other / "run.json").write_text("{", encoding="utf-8")
    with client(Library(tmp_path)) as viewer:
        state = answer(viewer, "run", run=made.folder.name)
        assert state["recorded"] == 2
        assert [problem.partition(" of ")[0] for problem in state["problems"]] == [
            "Line 2",
            "Line 3",
            "Line 4",
        ]
        assert answer(viewer, "attempts", run=made.folder.name)["total"] == 5
        entries = {entry["run"]: entry for entry in listed(viewer)}
        assert "cannot be read" in entries["broken"]["problem"]
        assert "corrupt" in entries[made.folder.name]["problem"]


def test_a_port_in_use_a_folder_that_is_not_there_and_an_unknown_run_are_told_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with listen(0) as held:
        port = held.getsockname()[1]
        with pytest.raises(
            UserError, match=f"Port {port} of 127.0.0.1 cannot be used: Address already in use"
        ):
            listen(port)
        assert held.getsockname()[0] == "127.0.0.1"
        assert dispatch(["view", "--no-open", "--port", str(port), "--results-dir", str(tmp_path)]) == 2
    assert dispatch(["view", "--results", str(tmp_path / "nowhere")]) == 2
    assert dispatch(["view", "nothing", "--results", str(tmp_path)]) == 2
    assert dispatch(["view", "--port", "99999"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert [line.split()[0] for line in said] == ["bench:"] * 4
    assert "does not exist" in said[1]
    assert "No run 'nothing'" in said[2]


def test_without_its_extra_the_command_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.startswith(("starlette", "harness.view"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "starlette", None)
    assert dispatch(["view", "--results", str(tmp_path)]) == 2
    assert "pip install 'depthbench[view]'" in capsys.readouterr().err


def test_ctrl_c_ends_it_cleanly(results: Path) -> None:
    command = [sys.executable, "-m", "depthbench", "view", "--no-open", "--results", str(results)]
    root = str(Path(__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    viewer = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    try:
        assert viewer.stdout is not None
        line = viewer.stdout.readline()
        assert line.startswith("The viewer is at http://127.0.0.1:")
        import urllib.request

        with urllib.request.urlopen(line.split()[-1], timeout=20) as page:
            assert b"<main" in page.read()
        viewer.send_signal(2)
        out, err = viewer.communicate(timeout=30)
        assert viewer.returncode == 0
        assert "Traceback" not in err
        assert err.splitlines()[-1] == "The viewer has ended."
        assert not out
    finally:
        viewer.kill()
        viewer.communicate()


def test_a_run_without_a_line_yet_is_listed(tmp_path: Path) -> None:
    made = run(Counting(), Lottery(), limit=3, attempts=2, results_dir=tmp_path)
    made.folder.attempts_path.write_bytes(b"")
    made.folder.summary_path.unlink()
    with client(Library(tmp_path)) as viewer:
        (entry,) = listed(viewer)
        assert entry.get("problem") is None
        assert (entry["recorded"], entry["planned"]) == (0, 6)
        assert answer(viewer, "attempts", run=made.folder.name)["total"] == 6
