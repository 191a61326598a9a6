"""Live progress on standard error: one moving line in a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from harness.records import Line

PLAIN_SECONDS = 5.0
LIVE_SECONDS = 0.1


class PlainProgress:
    """Count attempts, and say now and then how it goes."""

    every = PLAIN_SECONDS

    def start(self, *, planned: int, recorded: int, where: Path) -> None:
        self.planned, self.recorded, self.where = planned, recorded, where
        self.new = self.correct = 0
        self.began = self.told = time.monotonic()
        if recorded:
            state = "complete" if recorded == planned else "resuming"
            self.say(f"{where.name}: {recorded:,} of {planned:,} attempts are recorded, {state}")

    def advance(self, line: Line) -> None:
        self.new += 1
        self.correct += line["outcome"] == "correct"
        now = time.monotonic()
        if now - self.told >= self.every:
            self.told = now
            self.tell()

    def stop(self) -> None:
        if self.new:
            self.tell()

    def tell(self) -> None:
        self.say(self.text())

    def text(self) -> str:
        """Return "120/400  35.0/s  correct 71.7 %  8 s left"."""
        rate = self.new / max(1e-9, time.monotonic() - self.began)
        done = self.recorded + self.new
        left = (self.planned - done) / rate if rate else 0.0
        share = 100 * self.correct / max(1, self.new)
        return f"{done:,}/{self.planned:,}  {rate:,.1f}/s  correct {share:.1f} %  {duration(left)} left"

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


class LiveProgress(PlainProgress):
    """A rich progress bar that carries the same text."""

    every = LIVE_SECONDS

    def start(self, *, planned: int, recorded: int, where: Path) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self.bar: Any = Progress(BarColumn(), TextColumn("{task.description}"), console=Console(stderr=True), transient=True)
        self.row = self.bar.add_task("starting", total=planned, completed=recorded)
        super().start(planned=planned, recorded=recorded, where=where)
        self.bar.start()

    def stop(self) -> None:
        self.bar.stop()
        super_text = self.text()
        if self.new:
            self.say(super_text)

    def tell(self) -> None:
        self.bar.update(self.row, completed=self.recorded + self.new, description=self.text())


def progress() -> PlainProgress:
    """Return the progress that fits standard error."""
    return LiveProgress() if sys.stderr.isatty() else PlainProgress()


def duration(seconds: float) -> str:
    """Write seconds as "8 s", "3 min", "2.5 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
