"""A report of a mixed set in a real browser: off line, nothing on the console, its numbers the commands' own.

DEPTHBENCH_RUNS names a results folder to report in the place of the small one made here. tests/chromium.py
says what it needs.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright")
pytest.importorskip("altair")
pytest.importorskip("vl_convert")
from playwright import sync_api as playwright

from harness.cli.main import dispatch
from harness.records.find import scan
from tests.chromium import CHROMIUM, launched, page_of, serious
from tests.llm_server import Behaviour, LlmServer
from tests.test_import import sudoku_rows, write

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the path; CHROMIUM names one"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as found:
        yield found


TABLES = """[...document.querySelectorAll("table")].map(table => [
  table.dataset.of || table.caption.textContent,
  [...table.querySelectorAll("tbody tr:not(.apart)")].map(
    row => [row.dataset.run || "", [...row.cells].map(cell => cell.dataset.value)])
])"""


def told(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert dispatch([*words, "--format", "json"]) in (0, 1), "1: a run was left out by name"
    return json.loads(capsys.readouterr().out)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return runs of four tasks: exact, baselines, nets with depths, samples and seeds, models."""
    if named := os.environ.get("DEPTHBENCH_RUNS"):
        return Path(named)
    folder = tmp_path_factory.mktemp("results")

    def bench(*words: str) -> None:
        assert dispatch([*words, "--results-dir", str(folder)]) == 0, words

    def play(task: str, *solvers: str, more: tuple[str, ...] = ()) -> None:
        for solver in solvers:
            bench("run", "--task", task, "--solver", *solver.split(), *more)

    steps = "-S depths=1,2,4 -S halt=never"
    for seed in ("0", "1"):
        play("sudoku", f"trm {steps}", "search", "random", more=("--limit", "20", "--seed", seed))
    small = ("-T", "size=4", "--limit", "12")
    play(
        "sudoku",
        "search",
        "random",
        "looped",
        f"looped {steps}",
        "looped -S samples=4 -S augment=true",
        more=small,
    )
    with LlmServer(scripted) as server:
        model = f"llm -S model=gpt-5 -S base_url={server.url} -S strategy=direct"
        play(
            "sudoku", f"{model}+best-of-n -S samples=3", f"{model}+self-consistency -S samples=3", more=small
        )
        play("maze-unique", model, more=("--limit", "4"))
    play("maze-unique", f"trm {steps}", "search", "copy-input", more=("--limit", "20"))
    play("automaton", "search", "random", more=("--limit", "10", "--sweep", "steps=1,2,3"))
    play("arc1", "copy-input", "random", more=("--limit", "8"))
    write(folder / "mini_sudoku.jsonl", [row for m in ("a/one", "b/two") for row in sudoku_rows(m)])
    bench("import", "reasoning-gym", str(folder / "mini_sudoku.jsonl"), "--task", "sudoku")
    return folder


def scripted(_: dict[str, Any], nth: int) -> Behaviour:
    """Answer with a 4×4 square, right for hardly any puzzle, the second time with another."""
    rows = [[(r + c * (1 + nth % 2)) % 4 + 1 for c in range(4)] for r in range(4)]
    return Behaviour(text="```answer\n" + "\n".join("".join(map(str, row)) for row in rows) + "\n```")


@pytest.fixture(scope="module")
def report(results: Path) -> Path:
    out = results / "report.html"
    assert dispatch(["report", "--results-dir", str(results), "-o", str(out)]) in (0, 1)
    assert out.stat().st_size <= 5_000_000
    return out


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 400])
def test_it_opens_off_line_without_an_error_and_fits(
    browser: Any, report: Path, scheme: str, width: int
) -> None:
    options = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme, "offline": True}
    with page_of(browser, **options) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(report.as_uri())
        playwright.expect(page.locator("h1")).to_be_visible()
        page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true })")
        assert [url for url in asked if not url.startswith("data:")] == [report.as_uri()]
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    with page_of(browser, bypass_csp=True, **options) as page:  # axe-core is a script that its policy refuses
        page.goto(report.as_uri())
        assert serious(page) == []


def test_a_table_is_sorted_by_its_headings_with_keys_too(browser: Any, report: Path) -> None:
    with page_of(browser) as page:
        page.goto(report.as_uri())
        table = page.locator("table[data-of=leaderboard]").first
        head = table.locator("th", has_text="planned").first
        for order in ("ascending", "descending"):
            head.locator("button").focus()
            page.keyboard.press("Enter")
            assert head.get_attribute("aria-sort") == order
            column = head.evaluate("head => head.cellIndex")
            for body in table.locator("tbody").all():
                shown = body.evaluate(
                    "(body, n) => [...body.rows].filter(r => !r.classList.contains('apart'))"
                    ".map(r => Number(r.cells[n].dataset.value))",
                    column,
                )
                assert shown == sorted(shown, reverse=order == "descending")


def numbers_of(found: Any) -> set[float]:
    """Return every number in what a command said as JSON, those written as keys included."""
    if isinstance(found, dict):
        return numbers_of([*found, *found.values()])
    if isinstance(found, list):
        return {number for value in found for number in numbers_of(value)}
    if isinstance(found, str):
        return {float(found)} if re.fullmatch(r"-?\d+(\.\d+)?(e[+-]?\d+)?", found) else set()
    return set() if found is None else {float(found)}


def test_every_number_that_is_shown_is_one_that_a_command_says(
    browser: Any, report: Path, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = ("--results-dir", str(results))
    rows = told(capsys, "leaderboard", *folder)
    each = told(capsys, "leaderboard", "--each-seed", *folder)
    with page_of(browser) as page:
        page.goto(report.as_uri())
        shown = page.evaluate(TABLES)
        commands = page.locator("pre.command").last.inner_text().splitlines()
    known = numbers_of([rows, each])
    for axis in ("active", "flops", "usd", "seconds"):
        known |= numbers_of(told(capsys, "leaderboard", "--front", axis, *folder))
    for line in commands:
        if line.startswith("bench compare"):
            known |= numbers_of(told(capsys, *line.split()[1:], *folder))
    known |= numbers_of([*map(float, range(len(each)))])  # places within a plot
    names = [row["run"] for row in each if row["score"] is not None and row["complete"]]
    analysed = []
    for name in names:
        analysed += told(capsys, "analyse", name, *folder)
    known |= numbers_of(analysed)
    for run in scan(results):  # dials stand at their default, too; a run's name may be all digits
        if run.record is not None:
            options = [run.record.task.options, run.record.solver.options]
            known |= numbers_of(
                json.loads(json.dumps([*options, run.folder.name.rpartition("_")[2]], default=str))
            )
    by_run = {row["run"]: row for row in rows}
    of_runs = {run for what, lines in shown if what == "leaderboard" for run, _ in lines}
    assert of_runs == set(by_run)
    strange = [
        (what, values, value)
        for what, lines in shown
        for _, values in lines
        for value in values
        if value and not numbers_of(value) <= known
    ]
    assert not strange, "\n".join(map(str, strange[:5]))
