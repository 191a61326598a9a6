"""What is said while a run goes: something from early on, no estimate that means nothing, and nothing
after the end.
"""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

from harness.contracts import Outcome, Usage
from harness.records.schema import AttemptRecord
from harness.running.progress import PlainProgress

CORRECT, WRONG, FAILED = (
    AttemptRecord(puzzle="p", attempt=0, outcome=outcome)
    for outcome in (Outcome.CORRECT, Outcome.WRONG, Outcome.PROVIDER_ERROR)
)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch):
    """Return a function that sets the time."""
    now = [100.0]
    monkeypatch.setattr("harness.running.progress.time.monotonic", lambda: now[0])
    return lambda seconds: now.__setitem__(0, 100.0 + seconds)


def started(planned: int = 20, recorded: int = 0) -> PlainProgress:
    progress = PlainProgress()
    progress.start(planned=planned, recorded=recorded, where=Path("run"))
    progress.ended.set()  # these tests ask for the text themselves
    return progress


def test_before_the_first_answer_the_time_is_told(clock) -> None:
    progress, resumed = started(), started(recorded=5)
    clock(12)
    assert progress.text() == "0/20  12 s, no answer yet"
    assert resumed.text() == "5/20  12 s, no new answer yet"


def test_answers_that_come_all_at_once_tell_no_speed_and_later_ones_do(clock) -> None:
    progress = started(planned=1000)
    clock(20)
    progress.advance(CORRECT)
    clock(21)
    for _ in range(9):
        progress.advance(WRONG)
    assert progress.text() == "10/1,000  0.5/s  correct 10.0 %"
    clock(40)
    for _ in range(10):
        progress.advance(CORRECT)
    assert progress.text() == "20/1,000  0.5/s  correct 55.0 %  33 min left"


def test_nothing_is_left_at_the_end(clock) -> None:
    progress = started(planned=2)
    for second in (1, 2):
        clock(second)
        progress.advance(CORRECT)
    assert progress.text() == "2/2  1.0/s  correct 100.0 %"


def test_lines_come_without_answers_and_end_with_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(PlainProgress, "every", 0.01)
    progress = PlainProgress()
    progress.start(planned=3, recorded=0, where=Path("run"))
    before = ""
    while "\n" not in before:
        before += capsys.readouterr().err
        time.sleep(0.005)
    progress.advance(CORRECT)
    progress.stop()
    assert not progress.teller.is_alive()
    after = capsys.readouterr()
    assert re.match(r"0/3  \d+ s, no answer yet\n", before)
    assert after.err.splitlines()[-1].startswith("1/3  ")
    assert after.out == ""
    time.sleep(0.05)
    assert capsys.readouterr().err == ""


def test_dollars_newly_spent_and_to_come_are_told_and_a_run_without_a_reply_has_no_percentage(clock) -> None:
    progress = started(planned=4)
    clock(10)
    progress.advance(FAILED)
    assert "all failed" in progress.text()
    paid = Usage(usd=0.25, charged_usd=0.2, lost_calls=0)  # of a quarter, a cached reply was five cents
    progress.advance(replace(CORRECT, usage=paid))
    assert progress.text() == "2/4  0.2/s  correct 50.0 %  $0.2, about $0.2 to come"
