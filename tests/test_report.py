"""`bench report`: one file without network, whose every number is that of the other commands."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from harness import run
from harness.cli.main import dispatch
from harness.contracts import Attempt, Budget, Outcome, Parameters, Puzzle, SolverCard, TaskView, Usage
from harness.exchange.commands import command
from harness.report.content import gather
from harness.report.words import of_report, of_set
from tests.fakes import Counting, Lottery, RepeatLast

pytest.importorskip("altair")
pytest.importorskip("vl_convert")
EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>&\"'\u202e\x1b[31m"


@dataclass(frozen=True, kw_only=True)
class Replies:
    """A language model that solves the first so many puzzles of ten, and says what it likes."""

    right: int = 5
    model: str = "a-model"
    kind: str = "llm"
    says: str = "It is what it is."

    @property
    def card(self) -> SolverCard:
        kind: Any = self.kind
        size = Parameters(core=1000 * (1 + self.right))
        return SolverCard(
            name="replies", kind=kind, model=self.model, parameters=size, exposure={"seen": EVIL}
        )

    def solve(self, task: TaskView, puzzles: Sequence[Puzzle], budget: Budget) -> Iterator[Attempt]:
        for n, puzzle in enumerate(puzzles):
            answer = task.methods["search"](puzzle, None)  # type: ignore[arg-type]
            right = n % 10 < self.right
            usage = Usage(wall_seconds=0.5, input_tokens=10, output_tokens=5, usd=0.01 * (1 + self.right))
            yield Attempt(puzzle_id=puzzle.id, answer=answer if right else answer + 1, usage=usage,
                          reply=self.says + str(answer))  # fmt: skip


class Page(HTMLParser):
    """The tables of a page with their values, its text, and everything that could run or load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: dict[str, dict[str, list[str]]] = {"leaderboard": {}, "compare": {}}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._of = self._run = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        if tag == "table":
            self._of = found.get("data-of") or ""
        if tag == "tr":
            self._run = found.get("data-run") or f"{len(self.rows.get(self._of, {}))}"
        if "data-value" in found and self._of:
            self.rows[self._of].setdefault(self._run, []).append(found["data-value"] or "")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of runs of every kind on one set of puzzles, and of another task."""
    folder = tmp_path_factory.mktemp("results")
    for solver in (
        Lottery(),
        RepeatLast(),
        Replies(),
        Replies(right=9, kind="net"),
        Replies(right=2, model=EVIL),
    ):
        run(Counting(), solver, limit=40, results_dir=folder)
    for method in ("search", "random"):
        run("sudoku", method, task_options={"size": 4}, limit=6, results_dir=folder)
    return folder


@pytest.fixture(scope="module")
def page(results: Path) -> str:
    out = results / "page.html"
    assert dispatch(["report", "--results-dir", str(results), "-o", str(out), "--trust"]) == 0
    return out.read_text(encoding="utf-8")


def told(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert dispatch([*words, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_every_number_of_its_tables_is_that_of_the_leaderboard(
    results: Path, page: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = {row["run"]: row for row in told(capsys, "leaderboard", "--results-dir", str(results))}
    shown = Page(page).rows["leaderboard"]
    assert set(shown) == set(rows)
    for name, row in rows.items():
        numbers = {float(v) for v in shown[name] if re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", v)}
        for field in ("score", "low", "planned", "core_parameters", "usd_per_puzzle", "seconds_per_puzzle"):
            assert row[field] is None or row[field] in numbers, (name, field)


def test_the_data_it_carries_is_what_the_commands_say(
    results: Path, page: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data = json.loads(re.findall(r'id="data">(.*?)</script>', page)[0])
    rows = told(capsys, "leaderboard", "--each-seed", "--results-dir", str(results))
    assert {row["run"]: row for row in data["leaderboard"]} == {row["run"]: row for row in rows}
    counting = [row["run"] for row in data["leaderboard"] if row["task"] == "counting"]
    mine = [pair for pair in data["compare"] if pair["first"] in counting]
    order = dict.fromkeys(name for pair in mine for name in (pair["first"], pair["second"]))
    pairs = told(capsys, "compare", *order, "--results-dir", str(results))
    assert mine == pairs
    fronts = told(capsys, "leaderboard", "--front", "usd", "--results-dir", str(results))
    told_of = {row["run"]: (row["cost"], row["score"], row["on_front"], row["share"]) for row in fronts}
    for row in (row for row in data["front"] if row["axis"] == "usd"):
        assert told_of[row["run"]] == (row["cost"], row["score"], row["on_front"], row["share"])
    (analysed,) = told(capsys, "analyse", counting[0], "--results-dir", str(results))
    assert data["strata"].get(counting[0], []) in ([], analysed["strata"])


def test_runs_of_other_training_are_not_ranked_together_and_it_says_so(results: Path, page: str) -> None:
    rows = json.loads(re.findall(r'id="data">(.*?)</script>', page)[0])["leaderboard"]
    blocks = {row["ranked_in"] for row in rows if row["task"] == "counting"}
    assert len(blocks) > 1
    assert page.count("Apart from those above by ") == len({r["ranked_in"] for r in rows if r["differs"]})
    sentences = of_set(next(s for s in gather([], task="counting", results_dir=results).sections).sets[0])
    assert "compared but not ranked together" in sentences[1]


def test_nothing_in_it_loads_or_runs_but_its_own_script(page: str) -> None:
    tags = Page(page).tags
    scripts = [found for tag, found in tags if tag == "script"]
    assert [found.get("type") for found in scripts] == ["application/json", None]
    policy = next(f["content"] for t, f in tags if f.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for tag, found in tags:
        assert tag not in {
            "img",
            "iframe",
            "object",
            "embed",
            "form",
            "base",
            "foreignobject",
            "image",
            "use",
        }
        assert not [name for name in found if name.startswith("on") or name in ("style", "src")], (tag, found)
        for name in ("href", "xlink:href"):
            assert (found.get(name) or "#").startswith(("#", "data:,")), found
    assert EVIL not in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert len(page.encode()) < 5_000_000


def test_ids_are_unique_and_labels_lead_somewhere(page: str) -> None:
    tags = Page(page).tags
    ids = [found["id"] for _, found in tags if found.get("id")]
    assert len(ids) == len(set(ids))
    for _, found in tags:
        for name in ("aria-labelledby", "href"):
            value = found.get(name) or ""
            if name == "aria-labelledby" and value:
                assert value in ids
            elif value.startswith("#"):
                assert value[1:] in ids


def test_the_same_runs_give_the_same_file(results: Path, page: str, tmp_path: Path) -> None:
    again = tmp_path / "again.html"
    assert dispatch(["report", "--results-dir", str(results), "-o", str(again), "--trust"]) == 0
    assert again.read_text(encoding="utf-8") == page


def set_of(tmp_path: Path, *solvers: Any, limit: int = 40) -> list[str]:
    for solver in solvers:
        run(Counting(), solver, limit=limit, results_dir=tmp_path)
    (section,) = gather([], task=None, results_dir=tmp_path).sections
    return of_set(section.sets[0])


def test_one_run_is_compared_with_nothing(tmp_path: Path) -> None:
    asked, first, models = set_of(tmp_path, Replies())
    assert "40 puzzles" in asked
    assert "50.0 %" in first
    assert "compared with nothing" in first
    assert "No net has a score here" in models


def test_ties_are_ties(tmp_path: Path) -> None:
    _, first, models = set_of(tmp_path, Replies(), Replies(kind="net"))
    assert "no difference is seen" in first
    assert "no difference is seen" in models
    (tmp_path / "b").mkdir()
    _, first, _ = set_of(tmp_path / "b", Replies(right=1), Replies(), Replies(model="b"))
    assert "have the highest score, all 50.0 %" in first


def test_who_is_ahead_is_what_the_test_says_and_too_few_puzzles_are_said(tmp_path: Path) -> None:
    _, first, models = set_of(tmp_path, Replies(right=2), Replies(right=9, kind="net"))
    assert "+70.0 points" in models
    assert "the net is ahead" in models
    assert "tell it apart from 1 of the 1" in first
    (tmp_path / "b").mkdir()
    _, first, models = set_of(tmp_path / "b", Replies(right=6), Replies(right=5, kind="net"))
    assert "-10.0 points" in models
    assert "would be needed" in models
    assert "ahead" not in models
    assert "but not from" in first


def test_a_run_in_which_every_call_failed_has_no_score(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Down:
        card = SolverCard(name="down", kind="llm")

        def solve(self, task: TaskView, puzzles: Sequence[Puzzle], budget: Budget) -> Iterator[Attempt]:
            for puzzle in puzzles:
                yield Attempt(puzzle_id=puzzle.id, outcome=Outcome.PROVIDER_ERROR, detail={"error": "no"})

    _, first, models = set_of(tmp_path, Down())
    assert "There is no answer" in first
    assert "nothing is said" in models
    assert dispatch(["report", "--results-dir", str(tmp_path), "-o", str(tmp_path / "r.html")]) == 0


def test_several_tasks_are_three_sentences_too(results: Path) -> None:
    sentences = of_report(gather([], task=None, results_dir=results))
    assert len(sentences) == 3
    assert "2 sets of puzzles" in sentences[0]
    assert "sudoku: search with 100.0 %" in sentences[1]
    assert "met on 1 set" in sentences[2]


def test_the_command_of_a_run_goes_on_with_that_run(tmp_path: Path) -> None:
    folder = ["--results-dir", str(tmp_path)]
    asked = [
        "--task",
        "sudoku",
        "-T",
        "size=4",
        "--solver",
        "random",
        "--limit",
        "3",
        "--seed",
        "5",
        "--attempts",
        "2",
    ]
    assert dispatch(["run", *asked, *folder]) == 0
    (before,) = (tmp_path / "runs").iterdir()
    (entry,) = gather([], task=None, results_dir=tmp_path).entries
    assert dispatch([*shlex.split(command(entry.record))[1:], *folder]) == 0
    assert list((tmp_path / "runs").iterdir()) == [before]


def test_figures_are_written_as_svg_png_and_pdf_a_column_wide(results: Path, tmp_path: Path) -> None:
    words = ["report", "--task", "sudoku", "--results-dir", str(results), "-o", str(tmp_path / "r.html")]
    assert dispatch([*words, "--figures", str(tmp_path / "figures")]) == 0
    names = {path.stem for path in (tmp_path / "figures").iterdir()}
    assert "sudoku-outcomes" in names
    assert "sudoku-pairs" in names
    for name in names:
        svg = ElementTree.parse(tmp_path / "figures" / f"{name}.svg").getroot()
        assert svg.get("width") == "234pt"
        assert (tmp_path / "figures" / f"{name}.png").read_bytes()[:4] == b"\x89PNG"
        assert re.search(rb"MediaBox ?\[0 0 234 ", (tmp_path / "figures" / f"{name}.pdf").read_bytes())


def test_latex_holds_the_same_rows(results: Path, tmp_path: Path) -> None:
    out = tmp_path / "tables.tex"
    assert dispatch(["report", "--format", "latex", "--results-dir", str(results), "-o", str(out)]) == 0
    text = out.read_text(encoding="utf-8")
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 4
    assert r"50.0 \%" in text
    assert "<script>" not in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "No run in"),
        (["nothing"], "No run 'nothing'"),
        (["--task", "sudoku"], "No run in"),
        (["-o", "."], "is a folder"),
        (["--format", "pdf"], "--format"),
    ],
)
def test_what_cannot_be_reported_is_one_sentence(
    words: list[str],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert dispatch(["report", *words, "--results-dir", str(tmp_path)]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "report.html").exists()


def test_a_damaged_run_is_left_out_by_name_and_named_alone_it_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = run(Counting(), Replies(), limit=3, results_dir=tmp_path).folder
    bad = run(Counting(), RepeatLast(), limit=3, results_dir=tmp_path).folder
    bad.run_path.write_text("{}", encoding="utf-8")
    out = tmp_path / "r.html"
    words = ["report", "--results-dir", str(tmp_path), "-o", str(out)]
    assert dispatch(words) == 1
    assert f"Left out {bad.name}" in capsys.readouterr().err
    assert good.name in (text := out.read_text(encoding="utf-8"))
    assert f"Left out {bad.name}" in text
    assert dispatch([*words, bad.name]) == 2


def test_a_missing_extra_is_one_sentence(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import harness.report

    monkeypatch.setattr(harness.report, "find_spec", lambda name: None if name == "altair" else True)
    assert dispatch(["report", "--results-dir", str(results)]) == 2
    assert "depthbench[report]" in capsys.readouterr().err
