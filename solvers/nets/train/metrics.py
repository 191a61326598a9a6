"""What a training run says of itself while it runs: seconds, losses, rates; on the screen, in
metrics.jsonl, in TensorBoard.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness.running.progress import duration
from solvers.nets.train.checkpoint import TrainingState
from solvers.nets.train.folder import cannot_write
from solvers.nets.train.supervision import StepResult


class Clock:
    """Seconds of training over all sessions, booked into the progress at every checkpoint."""

    def __init__(self, progress: TrainingState) -> None:
        self.earlier, self.first_step = progress.seconds, progress.step
        self.began = self.last_checkpoint = time.monotonic()

    def session(self) -> float:
        return time.monotonic() - self.began

    def total(self) -> float:
        return self.earlier + self.session()

    def left(self, step: int, last: int) -> str:
        """Return how long the optimiser steps that are left will take, by those of this session."""
        return duration(self.session() / max(1, step - self.first_step) * (last - step))

    def since_checkpoint(self) -> float:
        return time.monotonic() - self.last_checkpoint

    def checkpointed(self, progress: TrainingState) -> None:
        self.last_checkpoint = time.monotonic()
        progress.seconds = self.total()


class Meter:
    """Sums since the last line, kept on the device: reading them every step would make it wait."""

    def __init__(self, peak: float, clock: Clock) -> None:
        self.peak, self.clock = peak, clock
        self.sums: dict[str, Tensor] = {}
        self.since = clock.total()
        self.flops: int | None = None
        self.step = 0

    def add(self, result: StepResult) -> None:
        counted = result.counted.float()
        new = {
            "sequences": torch.ones_like(counted).sum(),
            "loss": result.loss_sum.detach(),
            "token_loss": result.token_loss,
            "counted": counted.sum(),
            "exact": (counted * result.correct).sum(),
            "cells": (counted * result.cell_accuracy).sum(),
            "steps": (counted * result.steps).sum(),
        }
        if result.extra_loss is not None:
            new["extra_loss"] = result.extra_loss
        # sums of our own: a graph overwrites its result
        self.sums = {k: self.sums.get(k, 0) + v for k, v in new.items()}

    def line(self, progress: TrainingState) -> dict[str, Any]:
        """Return the metrics since the last line; accuracies are over sequences that left their slot, by
        this process.
        """
        sums = {name: float(value) for name, value in self.sums.items()}
        now, counted = self.clock.total(), sums["counted"]
        elapsed = max(1e-9, now - self.since)
        rates: dict[str, float] = {}
        if self.flops is not None:  # the first line of a session would count compilation in
            rates = {
                "optimiser_steps_per_second": (progress.step - self.step) / elapsed,
                "puzzles_per_second": sums["counted"] / elapsed,
                "flops_per_second": (progress.flops - self.flops) / elapsed,
                "share_of_peak": (progress.flops - self.flops) / elapsed / self.peak,
            }
        self.sums, self.since, self.flops, self.step = {}, now, progress.flops, progress.step
        return {
            "optimiser_step": progress.step,
            "seconds": round(now, 2),
            "training_flops": progress.flops,
            "loss": sums["loss"] / sums["sequences"],
            "token_loss": sums["token_loss"] / sums["sequences"],
            **({"extra_loss": sums["extra_loss"] / sums["sequences"]} if "extra_loss" in sums else {}),
            "sequences": int(sums["counted"]),  # that left their slot; what the next three are over
            "exact": sums["exact"] / counted if counted else None,
            "cells": sums["cells"] / counted if counted else None,
            "supervision_steps": sums["steps"] / counted if counted else None,
            **rates,
        }


class Log:
    """Where metrics go: a line on the screen, one in metrics.jsonl, and TensorBoard's event file if that is
    installed.

    What was written after optimiser step `step`, where the run goes on, is dropped: those steps were lost and
    come again.
    """

    def __init__(self, folder: Path, say: Callable[[str], None], rank: int, step: int) -> None:
        self.path, self.say, self.silent = folder / "metrics.jsonl", say, rank > 0
        self.told = time.monotonic()
        self.board: Any = None
        if not self.silent:
            if self.path.exists():
                lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
                part = self.path.with_suffix(".part")
                try:
                    part.write_text("".join(line for line in lines if _step(line) <= step), encoding="utf-8")
                    part.replace(self.path)
                except OSError as error:
                    part.unlink(missing_ok=True)
                    raise cannot_write(self.path, error) from error
            with contextlib.suppress(ImportError):
                from torch.utils.tensorboard import SummaryWriter

                self._board(lambda: SummaryWriter(folder / "tensorboard", purge_step=step + 1))

    def write(self, line: dict[str, Any]) -> None:
        if self.silent:
            return
        whole = self.path.stat().st_size if self.path.exists() else 0
        try:
            with open(self.path, "a", encoding="utf-8") as handle:
                handle.write(json.dumps(line) + "\n")
        except OSError:
            with contextlib.suppress(OSError):
                os.truncate(self.path, whole)  # no half line
            raise
        known = {name: value for name, value in line.items() if value is not None}
        self.tell(
            "  ".join(
                f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
                for name, value in known.items()
            )
        )
        if self.board is not None:
            board = self.board

            def show() -> Any:
                for name, value in known.items():
                    board.add_scalar(name, value, line["optimiser_step"])
                board.flush()
                return board

            self._board(show)

    def _board(self, act: Callable[[], Any]) -> None:
        """Write events, of which metrics.jsonl has every number: where that fails the run goes on without."""
        try:
            self.board = act()
        except OSError as error:
            self.board = None
            self.tell(f"no more events for TensorBoard: {error}")

    def tell(self, text: str) -> None:
        """Say something that is no metric, once for all processes."""
        self.told = time.monotonic()
        if not self.silent:
            try:
                self.say(text)
            except OSError:  # nobody reads any more: no reason to lose the run
                self.say = lambda _: None

    def silent_for(self) -> float:
        """Return the seconds since anything was said."""
        return time.monotonic() - self.told

    def close(self) -> None:
        if self.board is not None:
            board = self.board
            self._board(board.close)


def _step(line: str) -> float:
    """Return the optimiser step of a line of metrics.jsonl; infinity for what is none, such as one that a
    kill cut off.
    """
    try:
        return float(json.loads(line)["optimiser_step"]) if line.endswith("\n") else math.inf
    except (ValueError, KeyError, TypeError):
        return math.inf
