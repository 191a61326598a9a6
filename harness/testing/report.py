"""Rules kept and broken, and a time limit for whatever is asked of a plug-in."""

from __future__ import annotations

import copy
import ctypes
import faulthandler
import json
import math
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from harness.contracts import Puzzle
from harness.errors import RunError, UserError
from harness.records.migrate import MOST

T = TypeVar("T")
HERE = str(Path(__file__).parent)
HARNESS = str(Path(__file__).parent.parent)
SHOWN = 200  # characters of a value in a message
GRACE = 5.0  # seconds that a call gets to notice that its time is up


class BrokenRuleError(AssertionError):
    """A task or a solver broke a rule of the contracts."""


class _TimeIsUpError(BaseException):
    """Raised inside a call that has used up its time; no `except Exception` of a plug-in holds it up."""


class Report:
    """The rules that were checked: `kept` counts how often each held, `broken` says where one did not.

    Parts of the suite go on after a part that broke a rule; `raise_first` then raises what broke first.
    exits: end the process, with a traceback and exit status 1, where a call that has no time left holds the
    interpreter (a regular expression that backtracks for ever): nothing else can stop that.
    """

    def __init__(self, seconds: float = 120.0, *, exits: bool = False) -> None:
        self.seconds = seconds
        self.exits = exits
        self._armed = -math.inf
        self.kept: dict[str, int] = {}
        self.broken: dict[str, str] = {}
        self.notes: list[str] = []
        self._begin()

    def _begin(self) -> None:
        """Give the present call its time."""
        self._since = time.monotonic()
        if self.exits and self._since - self._armed > 1:  # not at each of a hundred thousand rules
            self._armed = self._since
            faulthandler.dump_traceback_later(
                self.seconds + GRACE, exit=True, file=2
            )  # though sys.stderr is no file

    def rule(self, kept: object, rule: str, at: object = "") -> None:
        """Note one instance of a rule; raise BrokenRuleError if it is broken."""
        self._begin()
        if not kept:
            where = "" if isinstance(at, str) and not at else shown(at)
            raise BrokenRuleError(f"{rule}: {where}" if where else rule)
        self.kept[rule] = self.kept.get(rule, 0) + 1

    @contextmanager
    def total(self, rule: str, at: object = "") -> Iterator[None]:
        """Turn an exception of a call into a broken rule; UserError and RunError pass: they are for users."""
        self._begin()
        try:
            yield
        except (BrokenRuleError, UserError, RunError):
            raise
        except Exception as error:
            place = _place(error)
            raise BrokenRuleError(
                f"{rule}: {shown(at)}: {type(error).__name__}: {str(error)[:SHOWN]}{place}"
            ) from error
        self.kept[rule] = self.kept.get(rule, 0) + 1

    def part(self, check: Callable[[], object]) -> None:
        """Run one part of the suite within the time limit; note what it breaks, if anything."""
        try:
            self._begin()
            limited(check, self)
        except BrokenRuleError as error:
            self._note(error)
        except (UserError, RunError):
            raise
        except Exception as error:
            found = BrokenRuleError(
                f"no call raises: {type(error).__name__}: {str(error)[:SHOWN]}{_place(error)}"
            )
            found.__cause__ = error
            self._note(found)
        finally:
            if self.exits:
                faulthandler.cancel_dump_traceback_later()
                self._armed = -math.inf

    def _note(self, error: BrokenRuleError) -> None:
        rule, _, where = str(error).partition(": ")
        self.kept.pop(rule, None)
        self.broken.setdefault(rule, where)
        self._first = getattr(self, "_first", error)

    def raise_first(self) -> None:
        if self.broken:
            raise self._first

    def left(self) -> float:
        """Return the seconds that the present call still has."""
        return self._since + self.seconds - time.monotonic()


def limited(call: Callable[[], T], report: Report) -> T:
    """Call in a thread of its own; raise BrokenRuleError, naming what runs, when it has no time left.

    Python code that goes on is stopped from inside; a thread that waits in C is left behind, as a daemon.
    """
    result: list[T] = []
    raised: list[BaseException] = []

    def work() -> None:
        try:
            result.append(call())
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=work, daemon=True, name="conformance")
    thread.start()
    while thread.is_alive():
        thread.join(max(0.01, min(1.0, report.left())))
        if thread.is_alive() and report.left() <= 0:
            running = _running(thread)
            for _ in range(20):
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(thread.ident or 0), ctypes.py_object(_TimeIsUpError)
                )
                thread.join(0.1)
                if not thread.is_alive():
                    break
            raise BrokenRuleError(f"everything ends: {running} has not ended after {report.seconds:g} s")
    if raised:
        if isinstance(raised[0], _TimeIsUpError):
            raise BrokenRuleError(f"everything ends: stopped after {report.seconds:g} s")
        raise raised[0]
    return result[0]


def _running(thread: threading.Thread) -> str:
    """Name the function that a thread is in: the outermost one outside of the harness, else of the suite."""
    frame = sys._current_frames().get(thread.ident or 0)
    inside, found = "the suite", ""
    while frame is not None:
        code = frame.f_code
        here = f"{code.co_name!r} ({Path(code.co_filename).name}, line {frame.f_lineno})"
        if code.co_filename.startswith(HARNESS):
            inside = inside if code.co_filename.startswith(HERE) else here
        elif "threading" not in code.co_filename and not code.co_filename.startswith("<"):
            found = here
        frame = frame.f_back
    return found or inside


def _place(error: BaseException) -> str:
    """Return where in a plug-in's code an exception was raised."""
    traceback, found = error.__traceback__, ""
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if not code.co_filename.startswith(HERE):
            found = f" (in {code.co_name}, {Path(code.co_filename).name} line {traceback.tb_lineno})"
        traceback = traceback.tb_next
    return found


def shown(value: object) -> str:
    """Return a value as a message shows it, cut to a line."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


def back(value: Any) -> Any:
    """Return what comes back of a value that is written as JSON and read again; a text of its own if it
    cannot be written.
    """
    try:
        return json.loads(json.dumps(value, allow_nan=False).encode())
    except (TypeError, ValueError, RecursionError) as error:
        return f"no JSON: {error}"


def is_json(value: Any) -> bool:
    """Return whether a value comes back from JSON as it is: no tuples, no numpy, no NaN, keys that are
    strings.
    """
    return same(back(value), value)


def copied(puzzle: Puzzle) -> Puzzle:
    """Return a puzzle that shares nothing with one."""
    return replace(puzzle, payload=copy.deepcopy(dict(puzzle.payload)))


def same(one: Any, other: Any) -> bool:
    """Compare values whatever their equality does (numpy arrays have none that is a truth value)."""
    try:
        return bool(one == other)
    except Exception:
        return False


def is_number(value: Any) -> bool:
    """Return whether a value is a finite number that can stand in a record; True and False are."""
    return isinstance(value, int | float) and -MOST < value < MOST
