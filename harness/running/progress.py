"""Live progress on standard error: one moving line in a terminal, a plain line every few seconds
elsewhere.
"""

from __future__ import annotations

import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.records.schema import AttemptRecord

PLAIN_SECONDS = 5.0
LIVE_SECONDS = 0.1
# answers must have come for this share of the time the first took: a batch that ends at once tells no speed
SPREAD = 0.25


class PlainProgress:
    """Count attempts, and say now and then how it goes, from a thread that lives from `start` to `stop`."""

    every = PLAIN_SECONDS

    def start(self, *, planned: int, recorded: int, where: Path) -> None:
        self.planned, self.recorded, self.where = planned, recorded, where
        self.new = self.correct = self.failed = 0
        self.usd = 0.0
        self.began = self.first = self.last = time.monotonic()
        if recorded:
            state = "complete" if recorded == planned else "resuming"
            self.say(f"{where.name}: {recorded:,} of {planned:,} attempts are recorded, {state}")
        self.ended = threading.Event()
        self.teller = threading.Thread(target=self._tell_until_ended, daemon=True)
        self.teller.start()

    def advance(self, attempt: AttemptRecord) -> None:
        self.last = time.monotonic()
        if not self.new:
            self.first = self.last
        self.new += 1
        self.correct += attempt.outcome == "correct"
        self.failed += attempt.outcome in ("provider_error", "timed_out")
        self.usd += attempt.usage.charged_usd or 0.0

    def stop(self) -> None:
        self.ended.set()
        self.teller.join()
        if self.new:
            self.say(self.text())

    def tell(self) -> None:
        self.say(self.text())

    def text(self) -> str:
        """Return "120/400  35.0/s  correct 71.7 %  8 s left  $0.12, about $0.28 to come", or how long no
        answer has come.
        """
        done, took = self.recorded + self.new, time.monotonic() - self.began
        if not self.new:
            return f"{done:,}/{self.planned:,}  {duration(took)}, no {'new ' * bool(self.recorded)}answer yet"
        rate = self.new / max(1e-9, took)
        known = done < self.planned and self.last - self.first > SPREAD * (self.first - self.began)
        left = f"  {duration((self.planned - done) / rate)} left" if known else ""
        right = "all failed" if self.failed == self.new else f"correct {100 * self.correct / self.new:.1f} %"
        return f"{done:,}/{self.planned:,}  {rate:,.1f}/s  {right}{left}{self._money(done)}"

    def _money(self, done: int) -> str:
        if not self.usd:
            return ""
        to_come = self.usd / self.new * (self.planned - done)
        return f"  {dollars(self.usd)}" + (
            f", about {dollars(to_come)} to come" if done < self.planned else ""
        )

    def say(self, text: str) -> None:
        with suppress(OSError):  # nobody reads any more: no reason to lose the run
            print(text, file=sys.stderr, flush=True)

    def _tell_until_ended(self) -> None:
        while not self.ended.wait(self.every):
            self.tell()


class LiveProgress(PlainProgress):
    """A rich progress bar that carries the same text."""

    every = LIVE_SECONDS

    def start(self, *, planned: int, recorded: int, where: Path) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self.bar: Any = Progress(
            BarColumn(), TextColumn("{task.description}"), console=Console(stderr=True), transient=True
        )
        self.row = self.bar.add_task("starting", total=planned, completed=recorded)
        super().start(planned=planned, recorded=recorded, where=where)
        self.bar.start()

    def stop(self) -> None:
        self.bar.stop()
        super().stop()

    def tell(self) -> None:
        self.bar.update(self.row, completed=self.recorded + self.new, description=self.text())


def progress() -> PlainProgress:
    """Return the progress that fits standard error."""
    return LiveProgress() if sys.stderr.isatty() else PlainProgress()


def dollars(usd: float) -> str:
    """Write dollars as "$12.30", "$0.0034"."""
    return f"${usd:,.2f}" if usd >= 1 else f"${usd:.2g}"


def duration(seconds: float) -> str:
    """Write seconds as "8 s", "3 min", "2.5 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
