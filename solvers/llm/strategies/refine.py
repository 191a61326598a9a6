"""Refine: what the rules find wrong with an answer goes back to the model, which tries again.

With the same number of calls as best-of-n this measures the gap between generating and mending (Self-Refine,
Madaan et al., arXiv 2303.17651, with the task's rules in place of the model's own critique).
"""

from __future__ import annotations

from harness.contracts import Outcome, Puzzle, TaskView, Unparsed
from solvers.llm.prompts import COMPLAINT, NO_ANSWER
from solvers.llm.protocol import Message
from solvers.llm.strategies.base import Ask, Candidate, Style, read
from solvers.llm.strategies.best_of_n import violations

MOST_COMPLAINTS = 10


class Refine:
    """At most `rounds` replies; the last well-formed answer counts. `depth` of the attempt is the number
    of replies.
    """

    uses = ("rounds",)

    def __init__(self, rounds: int) -> None:
        self.rounds = rounds

    async def run(self, task: TaskView, puzzle: Puzzle, style: Style, ask: Ask) -> Candidate:
        messages: list[Message] = style.messages(task, puzzle)
        best: Candidate | None = None
        broken: list[str] = []
        for number in range(self.rounds):
            candidate = await read(task, puzzle, style, await ask(messages, number))
            if isinstance(candidate.answer, Unparsed):
                best = best or candidate
                complaint = NO_ANSWER.format(reason=candidate.answer.reason)
                if candidate.outcome is Outcome.REFUSED:
                    break
            else:
                best, broken = candidate, violations(task, puzzle, candidate)
                if not broken:
                    break
                complaint = COMPLAINT.format(
                    complaints="\n".join(f"- {rule}" for rule in broken[:MOST_COMPLAINTS])
                )
            messages = [
                *messages,
                {"role": "assistant", "content": candidate.reply or "(nothing)"},
                {"role": "user", "content": complaint},
            ]
        assert best is not None  # there is at least one round
        return best.after(number + 1, {"violations": len(broken)})
