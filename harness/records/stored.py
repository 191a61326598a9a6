"""The stored summary of a run: what it says, and of which files, as they were, it was derived.

`summary.json` has what two runs with the same answers have in common, byte for byte; what hangs on the clock
(`MEASURED`) stands in `measured.json`. `summary.of.json` has the digests of both and of everything that they
were derived from; beside each digest, under `states`, the state in which the file had it: see contents.py.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

from harness.errors import RunError
from harness.records import migrate, packed
from harness.records.contents import Digest, State, fingerprint, state
from harness.records.jsonlines import dumps, loads, write_atomically
from harness.records.schema import Line, Summary, as_json

MEASURED = ("wall_seconds", "device_seconds", "seconds", "joules", "usd", "charged_usd")
"""Costs that a clock or a meter told, and dollars, which may be of device time: no two runs have the same."""
SOURCES = ("run.json", "verdicts.jsonl", "puzzles.jsonl")  # and the lines
UNLISTED = "puzzles.jsonl"  # by folders of schema 1 and 2, which have none


class StoredSummary:
    """The summary in a run's folder."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.summary_path = run / "summary.json"
        self.measured_path = run / "measured.json"
        self.of_path = run / "summary.of.json"

    def read(self, *, note: bool) -> Summary | None:
        """Return it if it is of the folder as it is now, else None.

        note: note the states of files that had to be read for that.
        """
        try:
            data, measured = self.summary_path.read_bytes(), self.measured_path.read_bytes()
            said = loads(self.of_path.read_bytes())
            noted, now = said.pop("states", {}), self._states()
            same = {name: said[name] for name, found in now.items() if found == noted.get(name)}
            if said != self._contents(data, measured, same):
                return None
            found, clocked = loads(data), loads(measured)
            found["costs"] |= clocked["costs"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        if note and now.keys() - same.keys():
            self._write_of(said, now)
        return migrate.summary(found)

    def write(self, summary: Summary, digest: Digest | None) -> None:
        """Store a summary. digest: of the lines that it was derived from."""
        found = as_json(summary)
        clocked = {name: found["costs"].pop(name) for name in MEASURED if name in found["costs"]}
        data = dumps(found, indent=2) + b"\n"
        measured = dumps({"costs": clocked}, indent=2) + b"\n"
        states, known = self._states(), {}
        if digest is not None and not packed.is_packed(self.run):
            known[packed.LINES] = digest.whole()
            states.pop(packed.LINES, None)
            if digest.state is not None:  # as it was before it was read
                states[packed.LINES] = digest.state
        with suppress(RunError):
            write_atomically(self.summary_path, data)
            write_atomically(self.measured_path, measured)
            self._write_of(self._contents(data, measured, known), states)

    def _states(self) -> dict[str, State]:
        """Return the states of the files that a summary is derived from, as far as they can be trusted."""
        names = SOURCES if packed.is_packed(self.run) else (*SOURCES, packed.LINES)
        return {name: found for name in names if (found := state(self.run / name)) is not None}

    def _contents(self, summary: bytes, measured: bytes, known: Line) -> Line:
        """Say by their content, never by their times, which files a summary was derived from. known: those
        of which that need not be found out.
        """
        found = {name: known[name] if name in known else fingerprint(self.run / name) for name in SOURCES}
        if found[UNLISTED] is None:
            del found[UNLISTED]
        if packed.is_packed(self.run):
            lines = packed.facts(self.run)["lines"]
        else:
            lines = known.get(packed.LINES) or fingerprint(self.run / packed.LINES)
        return {
            self.summary_path.name: hashlib.sha256(summary).hexdigest(),
            self.measured_path.name: hashlib.sha256(measured).hexdigest(),
            packed.LINES: lines,
            **found,
        }

    def _write_of(self, contents: Line, states: dict[str, State]) -> None:
        with suppress(RunError):
            write_atomically(self.of_path, dumps({**contents, "states": states}, indent=2) + b"\n")
