"""What planning puzzles share: an answer is a list of moves, graded on the legality of each and on the goal.

Any legal plan that reaches the goal is right, as in "The Illusion of Thinking" (arXiv 2506.06941); whether it
is also as short as can be is a number of its own. Nets learn the lexicographically least of the shortest
plans.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from harness.contracts import Answer, Key, Metric, Puzzle, Unparsed, Verdict
from tasks.procedures.procedure import COLUMNS, Payload, Procedure
from tasks.shared.forms import json_value, line_list
from tasks.shared.ruled import Check
from tasks.shared.text_answers import parse_reply

if TYPE_CHECKING:
    import numpy as np
    from rich.console import RenderableType

MOST_MOVES = 2_000  # of an answer; the prompt says so
State = Hashable
Move = list[Any]


class Planning(Procedure):
    """Find moves from a start to a goal. `steps` is the least number of moves that reaches it.

    Verdict numbers: `constraints`, the share of what is asked that holds, each move's legality and the goal
    counting one each (an illegal move is not made, and those after it still count); `optimal`, right and as
    short as any.
    """

    line: ClassVar[str]  # a move in a reply, as a regular expression
    move_words: ClassVar[str]  # what a well-formed move is
    metrics = (
        Metric(name="solved"),
        Metric(name="optimal", number="optimal"),
        Metric(name="constraints", number="constraints"),
    )

    def start(self, payload: Payload) -> State:
        raise NotImplementedError

    def missing(self, payload: Payload, state: State) -> str | None:
        """Say what of the goal a state misses; None if it is reached."""
        raise NotImplementedError

    def well_formed(self, payload: Payload, move: Any) -> bool:
        """Return whether something is a move at all, legal or not. Total."""
        raise NotImplementedError

    def made(self, payload: Payload, state: State, move: Move) -> State | None:
        """Return the state after a well-formed move; None if it is not legal."""
        raise NotImplementedError

    def why_not(self, payload: Payload, state: State, move: Move) -> str:
        """Name the rule that a move breaks."""
        raise NotImplementedError

    def read_line(self, text: str) -> Move:
        """Turn a line of a reply, which matches `line`, into a move."""
        raise NotImplementedError

    def moves(self, payload: Payload) -> Sequence[Move]:
        """Return all well-formed moves, in lexicographic order."""
        raise NotImplementedError

    def drawing(self, payload: Payload) -> str:
        """Draw the puzzle, at most 80 columns wide."""
        raise NotImplementedError

    def check(self, puzzle: Puzzle, answer: Answer) -> Check:
        payload = puzzle.payload
        if not isinstance(answer, list) or not answer:
            return Check.malformed("not a list of moves")
        if len(answer) > MOST_MOVES:
            return Check.malformed(f"{len(answer):,} moves, of which there may be {MOST_MOVES:,}")
        for index, move in enumerate(answer):
            if not self.well_formed(payload, move):
                return Check.malformed(f"move {index + 1} is not {self.move_words}: {_shown(move)}")
        found, state = Check(), self.start(payload)
        for index, move in enumerate(answer):
            after = self.made(payload, state, move)
            broken = "" if after is not None else self.why_not(payload, state, move)
            found.rule("moves", after is not None, f"move {index + 1}: {broken}")
            state = state if after is None else after
        missing = self.missing(payload, state)
        found.rule("goal", missing is None, f"the goal is not reached: {missing}")
        return found

    def judge(self, puzzle: Puzzle, key: Key, answer: Answer) -> Verdict:
        found = self.check(puzzle, answer)
        least = key.optimum if key.optimum is not None else len(key.answers[0])
        optimal = found.feasible and len(answer) <= least
        return Verdict(correct=found.feasible, numbers=found.numbers() | {"optimal": float(optimal)})

    def parse(self, reply: str, puzzle: Puzzle) -> Answer | Unparsed:
        """Read one move a line, numbered or not, or a JSON list."""

        def listed(value: Any) -> Answer | None:
            moves = isinstance(value, list) and 1 <= len(value) <= MOST_MOVES
            return value if moves and all(self.well_formed(puzzle.payload, move) for move in value) else None

        words = "list of moves, one a line"
        lines, lists = line_list(words, self.line, 1, MOST_MOVES, self.read_line), json_value(words, listed)

        def read(text: str) -> Answer | None:
            found = lists.read(text)
            return lines.read(text) if found is None else found

        return parse_reply(reply, replace(lines, read=read, open_ended=True))

    def random_answer(self, puzzle: Puzzle, rng: np.random.Generator) -> Answer:
        """Draw as many well-formed moves as the shortest plan has."""
        moves = self.moves(puzzle.payload)
        count = int(min(max(puzzle.difficulty or self.steps, 1), MOST_MOVES))  # a file may say anything
        return [list(moves[i]) for i in rng.integers(0, len(moves), count)]

    def render(self, puzzle: Puzzle, answer: Answer | None = None, key: Key | None = None) -> RenderableType:
        """Draw the puzzle; an answer's moves below it, an illegal one red; with a key green if right."""
        from rich.text import Text

        text = Text(self.drawing(puzzle.payload))
        if answer is None:
            return text
        found = self.check(puzzle, answer)
        if "form" in found.asked:
            return text.append(f"\n{found.broken[0][:COLUMNS]}", style="red")
        style = "yellow" if key is None else "green" if found.feasible else "red"
        state, used = self.start(puzzle.payload), COLUMNS
        for move in answer:
            after = self.made(puzzle.payload, state, move)
            state = state if after is None else after
            word = "".join(map(str, move))
            if used + len(word) + 2 > COLUMNS:
                text.append("\n")
                used = 0
            text.append(f"{word}  ", style="bold red" if after is None else style)
            used += len(word) + 2
        return text.append("\nthe goal is reached" if found.kept["goal"] else "\nthe goal is not reached")


def _shown(value: Any) -> str:
    return str(value[:8] if isinstance(value, list | str) else value)[:60]
