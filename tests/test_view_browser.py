"""The viewer in a real browser: hostile runs and pages, the keyboard alone, a run that grows, both themes.

Needs Playwright (`pip install --group browser`) and Chromium; CHROMIUM names it where it is not on the path.
axe-core is used where DEPTHBENCH_AXE names its file.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("playwright")
from playwright import sync_api as playwright

from harness import run
from harness.records.folder import RunFolder
from harness.records.planned import Planned
from harness.view.app import application
from harness.view.library import Library
from harness.view.serve import listen
from tests.chromium import CHROMIUM, launched, page_of, serious
from tests.view_runs import edited, large_line, large_run, planned

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the path; CHROMIUM names one"),
]
HIT = "window.hit = true; document.title = 'hit'"
HOSTILE = (
    f'<script>{HIT}</script><img src=x onerror="{HIT}"><svg onload="{HIT}"></svg>'
    f"'\"><iframe srcdoc='<script>parent.hit=true</script>'></iframe><a href=\"javascript:{HIT}\">a</a>"
    f"</textarea></title><style>*{{display:none}}</style>{{{{7*7}}}}${{{HIT}}}\u202e\x07"
)


@contextlib.contextmanager
def serving(results: Path, **options: Any) -> Iterator[str]:
    """Serve a results folder in a thread; yield the address."""
    import uvicorn

    token = "t0ken-of-the-test"
    with listen(0) as listening:
        port = listening.getsockname()[1]
        app = application(Library(results, **options), token=token, port=port)
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{port}/{token}/"
        finally:
            server.should_exit = True
            thread.join(20)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as found:
        yield found


def told(page: Any, words: str) -> None:
    playwright.expect(page.locator("#status")).to_contain_text(words)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return two runs on the same 4×4 Sudokus: exact search, and a model whose every word is hostile."""
    folder = tmp_path_factory.mktemp("results")
    run("sudoku", "search", task_options={"size": 4}, limit=12, results_dir=folder)
    made = run("sudoku", "random", task_options={"size": 4}, limit=12, results_dir=folder)
    lines = [json.loads(line) for line in made.folder.attempts_path.read_bytes().splitlines()]
    for n, line in enumerate(lines):
        line["reply"] = f"{HOSTILE}\n```answer\n{rows(line['answer'])}\n```\n{HOSTILE}"
        line["detail"] = {"error": HOSTILE, HOSTILE: [{HOSTILE: HOSTILE}], "reasoning": HOSTILE * 3}
        line["trace"] = [
            {"depth": depth, "answer": line["answer"], "numbers": line["numbers"], "halt_score": depth - 1.5}
            for depth in (1, 2, 4)
        ]
        line["trace"][0]["answer"] = [[1] * 4] * 4
        if n == 3:
            line |= {"outcome": "provider_error"}
            line.pop("answer"), line.pop("numbers")
    made.folder.attempts_path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")

    def change(found: dict[str, Any]) -> None:
        found["card"] |= {"model": HOSTILE, "kind": "llm"}
        found["solver"] |= {"name": HOSTILE, "changed": {HOSTILE: HOSTILE}}

    edited(made.folder, change)
    named = run("sudoku", "random", task_options={"size": 4}, seed=4, limit=2, results_dir=folder)

    def rename(found: dict[str, Any]) -> None:
        found["task"]["name"] = HOSTILE
        found["split"] = HOSTILE

    planned(named.folder, Planned(ids=[HOSTILE, "b"]))
    edited(named.folder, rename)
    line = json.loads(named.folder.attempts_path.read_bytes().splitlines()[0]) | {"puzzle": HOSTILE}
    named.folder.attempts_path.write_text(json.dumps(line) + "\n", encoding="utf-8")
    broken = folder / "runs" / "x<img src=x onerror=hit()>"
    broken.mkdir()
    (broken / "run.json").write_text(json.dumps({"schema": HOSTILE}), encoding="utf-8")
    return folder


def rows(answer: list[list[int]]) -> str:
    return "\n".join(" ".join(map(str, row)) for row in answer)


@pytest.fixture(scope="module")
def address(results: Path) -> Iterator[str]:
    with serving(results) as found:
        yield found


def unharmed(page: Any) -> None:
    assert page.evaluate("window.hit") is None
    assert page.title() != "hit"
    assert page.locator("main script, main iframe, main img, main style, main svg:not(.plot)").count() == 0
    assert page.locator("a[href^='javascript']").count() == 0
    assert (
        page.evaluate("[...document.querySelectorAll('*')].filter(e => e.hasAttribute('onerror')).length")
        == 0
    )


def test_no_word_of_a_run_is_run_wherever_it_is_shown(browser: Any, address: str, results: Path) -> None:
    with page_of(browser) as page:
        page.goto(address)
        told(page, "3 of 4 runs")  # the fourth is damaged
        playwright.expect(page.locator("main")).to_contain_text("onerror")
        unharmed(page)
        for folder in sorted((results / "runs").iterdir()):
            if not (folder / "attempts.jsonl").exists():
                continue
            page.goto(f"{address}#/run?run={folder.name}")
            page.locator("tbody a").first.wait_for()
            unharmed(page)
            for row in (0, 1):
                page.goto(f"{address}#/puzzle?run={folder.name}&pair={row}")
                page.locator(".pane").first.wait_for()
                for summary in page.locator("summary").all():
                    summary.click()
                unharmed(page)


def test_the_answer_is_marked_in_its_reply_and_the_steps_are_replayed(
    browser: Any, address: str, results: Path
) -> None:
    name = next(p.name for p in (results / "runs").iterdir() if "random" in p.name and plan(p)["seed"] == 0)
    line = json.loads((results / "runs" / name / "attempts.jsonl").read_bytes().splitlines()[0])
    with page_of(browser) as page:
        page.goto(f"{address}#/puzzle?run={name}&pair=0")
        mark = page.locator("mark")
        mark.wait_for()
        assert mark.inner_text().split() == [str(d) for row in line["answer"] for d in row]
        facts = page.locator(".replay .facts").first
        playwright.expect(facts).to_contain_text("step 3 of 3 · depth 4")
        page.get_by_label("Step before").click()
        page.get_by_label("Step before").click()
        playwright.expect(facts).to_contain_text("step 1 of 3 · depth 1")
        playwright.expect(facts).to_contain_text("halting score -0.5")
        assert page.locator(".replay .s-changed").count() == 0
        page.get_by_label("Next step").click()
        assert page.locator(".replay .s-changed").count() > 0
        assert page.locator("svg.plot").count() == 2


def plan(folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / "run.json").read_bytes())
    except ValueError:
        return {"seed": None}
    return {"seed": None, **found}


def test_a_foreign_name_for_this_machine_is_not_answered(browser: Any, address: str) -> None:
    """DNS rebinding: the browser is told that evil.example is 127.0.0.1, as a hostile name server would."""
    port, token = address.split(":")[2].split("/")[:2]
    with page_of(browser, errors=[]) as page:
        for place in ("", "api/runs", "static/main.js"):
            reply = page.goto(f"http://evil.example:{port}/{token}/{place}")
            assert reply.status == 421
            assert "Depthbench" not in page.content()


class Evil(BaseHTTPRequestHandler):
    """A page of another origin on this machine that tries to read the viewer, to run it and to frame it."""

    target = ""

    def do_GET(self) -> None:
        page = f"""<!doctype html><title>evil</title><iframe id=f src="{self.target}"></iframe><script>
        window.got = [];
        for (const options of [{{}}, {{mode: "no-cors"}}, {{method: "POST"}}])
          fetch("{self.target}api/runs", options).then(r => r.text())
            .then(t => got.push("read " + t), () => got.push("no"));
        const s = document.createElement("script"); s.type = "module";
        s.src = "{self.target}static/numbers.js";
        s.onload = () => got.push("ran"); s.onerror = () => got.push("no"); document.head.append(s);
        </script>"""
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(page.encode())

    def log_message(self, *_: Any) -> None: ...


def test_another_page_of_this_machine_reads_nothing_even_with_the_token(browser: Any, address: str) -> None:
    Evil.target = address
    server = ThreadingHTTPServer(("127.0.0.1", 0), Evil)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with page_of(browser, errors=[]) as page:
            page.goto(f"http://127.0.0.1:{server.server_address[1]}/")
            until = time.monotonic() + 60
            while len(got := page.evaluate("window.got")) < 4 and time.monotonic() < until:
                time.sleep(0.1)
            assert sorted(got) in (["no"] * 4, ["no"] * 3 + ["read "])  # an opaque reply reads as empty
            assert all("Depthbench" not in frame.content() for frame in page.frames[1:])
    finally:
        server.shutdown()
        server.server_close()


def test_everything_is_reached_by_keys_alone(browser: Any, address: str) -> None:
    with page_of(browser) as page:
        page.goto(address)
        playwright.expect(page.locator("tbody tr")).to_have_count(3)
        page.keyboard.press("?")
        playwright.expect(page.locator("dialog")).to_be_visible()
        page.keyboard.press("Escape")
        playwright.expect(page.locator("dialog")).not_to_be_visible()
        page.keyboard.press("/")
        page.keyboard.type("search")
        playwright.expect(page.locator("tbody tr")).to_have_count(1)
        page.keyboard.press("Escape")
        page.keyboard.press("j")
        page.keyboard.press("x")
        playwright.expect(page.locator("tbody input").first).to_be_checked()
        page.keyboard.press("x")
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        playwright.expect(page.locator("tbody tr")).to_have_count(12)
        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        playwright.expect(page.locator("h1")).to_have_text("test-0-1")
        page.locator(".pane").wait_for()
        page.keyboard.press("n")
        playwright.expect(page.locator("h1")).to_have_text("test-0-2")
        page.locator(".pane").wait_for()
        page.keyboard.press("p")
        playwright.expect(page.locator("h1")).to_have_text("test-0-1")
        theme = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.keyboard.press("t")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") != theme
        page.locator(".pane").wait_for()
        page.keyboard.press("Escape")
        playwright.expect(page.locator("tbody tr")).to_have_count(12)
        page.keyboard.press("Escape")
        playwright.expect(page.locator("h1")).to_have_text("Runs")


def test_steps_are_moved_by_keys_in_all_runs_at_once(browser: Any, address: str, results: Path) -> None:
    names = {
        ("search" if "search" in p.name else plan(p)["seed"]): p.name for p in (results / "runs").iterdir()
    }
    with page_of(browser) as page:
        page.goto(f"{address}#/run?run={names['search']}&with={names[0]}")
        page.locator("tbody a").first.wait_for()
        page.get_by_label("only where they differ").check()
        page.locator("tbody a").first.click()
        playwright.expect(page.locator(".pane")).to_have_count(2)
        facts = page.locator(".replay .facts").first
        page.locator("main").focus()
        page.keyboard.press("ArrowLeft")
        playwright.expect(facts).to_contain_text("step 2 of 3")
        page.keyboard.press("ArrowRight")
        playwright.expect(facts).to_contain_text("step 3 of 3")
        page.keyboard.press(" ")
        playwright.expect(facts).to_contain_text("step 1 of 3")
        playwright.expect(facts).to_contain_text("step 3 of 3")


def test_a_run_that_grows_is_shown_as_it_grows(browser: Any, tmp_path: Path) -> None:
    made = large_run(tmp_path, 200, recorded=50)
    line = json.loads(made.attempts_path.read_bytes().splitlines()[0])
    made.note_session("start", pid=os.getpid(), host=socket.gethostname(), recorded=50)
    with serving(tmp_path) as address, page_of(browser) as page:
        page.goto(address)
        playwright.expect(page.locator(".state")).to_have_text("running")
        playwright.expect(page.locator("tbody")).to_contain_text("50 of 200")
        page.locator("tbody a").first.click()
        playwright.expect(page.locator(".facts").first).to_contain_text("50 of 200 attempts · running")
        page.locator("tbody a").nth(3).focus()
        focused = page.evaluate("document.activeElement.textContent")
        with made.attempts_path.open("a", encoding="utf-8") as file:
            for n in range(50, 120):
                new = large_line(n, line.get("answer", [[1] * 4] * 4), {"cells": 0.0, "clues_kept": 0.0})
                file.write(json.dumps(new) + "\n")
        playwright.expect(page.locator(".facts").first).to_contain_text("120 of 200")
        assert page.evaluate("document.activeElement.textContent") == focused
        page.go_back()
        playwright.expect(page.locator("tbody")).to_contain_text("120 of 200")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 400])
def test_nothing_is_wider_than_the_screen_and_axe_finds_nothing_serious(
    browser: Any, address: str, results: Path, scheme: str, width: int
) -> None:
    name = next(p.name for p in (results / "runs").iterdir() if "random" in p.name and plan(p)["seed"] == 0)
    options = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
    with page_of(browser, bypass_csp=True, **options) as page:
        for place, ready in (
            ("", "tbody a"), (f"#/run?run={name}", "tbody a"), (f"#/puzzle?run={name}&pair=0", "mark"),
        ):  # fmt: skip
            page.goto(f"{address}{place}")
            page.locator(ready).first.wait_for()
            told_wide = page.evaluate("document.documentElement.scrollWidth")
            assert told_wide <= width, place
            assert serious(page) == [], place


def test_a_million_attempts_stay_responsive(browser: Any, tmp_path: Path) -> None:
    size = int(os.environ.get("DEPTHBENCH_VIEW_ATTEMPTS", "1000000"))
    made = large_run(tmp_path, size)
    with serving(tmp_path) as address, page_of(browser) as page:
        page.goto(f"{address}#/run?run={made.name}")
        page.locator("tbody a").first.wait_for()  # long before all is read
        started = time.monotonic()
        while f"{size:,} of {size:,} attempts" not in page.locator(".facts").first.inner_text():
            assert time.monotonic() < started + 3000
            time.sleep(0.5)
        times = []
        for query in (
            "page=0",
            "page=7777&size=100",
            "order=-seconds&page=12",
            "outcome=wrong&low=5&page=99",
        ):
            for _ in range(3):
                begun = time.monotonic()
                with urlopen(f"{address}api/attempts?run={made.name}&{query}") as reply:
                    found = json.loads(reply.read())
                times.append(time.monotonic() - begun)
            assert found["rows"]
        print(f"pages of {size:,} attempts: {sorted(1000 * t for t in times)} ms")
        page.get_by_label("Text").fill("needle")
        told(page, f"{size // 100:,} attempts") if size >= 100 else None
        page.locator("tbody a").first.click()
        page.locator(".drawing").first.wait_for()
        assert RunFolder(made.path).name == made.name
