"""Tasks that are judged by their rules: any answer that keeps all of them is right, whatever the label.

A family writes one function, `check`, which goes through its rules; the verdict, the list of what is broken
and the share of constraints met are all read off what it found.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.base import GeneratedTask
from harness.contracts import Answer, Key, Metric, Puzzle, Verdict


@dataclass
class Check:
    """What an answer keeps and breaks, counted by class of constraint."""

    kept: dict[str, int] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def rule(self, kind: str, holds: bool, otherwise: str) -> None:
        """Count one constraint of a class; `otherwise` names it where it is broken."""
        self.asked[kind] = self.asked.get(kind, 0) + 1
        self.kept[kind] = self.kept.get(kind, 0) + bool(holds)
        if not holds:
            self.broken.append(otherwise)

    @classmethod
    def malformed(cls, what: str) -> Check:
        """Return the check of an answer that is not of the right form: it keeps nothing."""
        return cls(kept={"form": 0}, asked={"form": 1}, broken=[what])

    @property
    def feasible(self) -> bool:
        return not self.broken

    @property
    def share(self) -> float:
        """Constraints kept, of all; 1 exactly where none is broken."""
        asked = sum(self.asked.values())
        return sum(self.kept.values()) / asked if asked else 1.0

    def numbers(self) -> dict[str, float]:
        """Return `feasible`, `constraints` and, where there are several classes, `constraints.CLASS`."""
        found = {"feasible": float(self.feasible), "constraints": self.share}
        if len(self.asked) > 1:
            found |= {f"constraints.{kind}": self.kept[kind] / n for kind, n in self.asked.items()}
        return found


class RuledTask(GeneratedTask):
    """A generated task judged by its rules alone. Verdict numbers: those of `Check.numbers`."""

    metrics: tuple[Metric, ...] = (Metric(name="solved"), Metric(name="constraints", number="constraints"))

    def check(self, puzzle: Puzzle, answer: Answer) -> Check:
        """Go through all rules. Total: whatever the answer is; one of the wrong form is `Check.malformed`."""
        raise NotImplementedError

    def violations(self, puzzle: Puzzle, answer: Answer) -> list[str]:
        return self.check(puzzle, answer).broken

    def judge(self, puzzle: Puzzle, key: Key, answer: Answer) -> Verdict:
        found = self.check(puzzle, answer)
        return Verdict(correct=found.feasible, numbers=found.numbers())
