"""What is marked in a maze: whether it is a path, and how long."""

from __future__ import annotations

from harness.contracts import Answer


def count_marks(rows: list[str]) -> int:
    """Return how many cells are marked as path."""
    return sum(row.count("o") for row in rows)


def is_board(answer: Answer, height: int, width: int) -> bool:
    """Return whether an answer is `height` strings of `width` characters each."""
    return (
        isinstance(answer, list)
        and len(answer) == height
        and all(isinstance(row, str) and len(row) == width for row in answer)
    )


def path_faults(rows: list[str], answer: Answer) -> list[str]:
    """List why the marks of an answer are not a path from S to G through the maze; [] if they are. Total."""
    height, width = len(rows), len(rows[0])
    if not is_board(answer, height, width):
        return [f"not {height} strings of {width} characters"]
    for r in range(height):
        for c in range(width):
            if answer[r][c] != rows[r][c] and not (rows[r][c] == " " and answer[r][c] == "o"):
                return [f"row {r + 1}, column {c + 1} was changed from {rows[r][c]!r} to {answer[r][c]!r}"]
    path = {(r, c): answer[r][c] for r in range(height) for c in range(width) if answer[r][c] in "SGo"}
    start = next(cell for cell, symbol in path.items() if symbol == "S")
    for (r, c), symbol in path.items():
        neighbours = sum(cell in path for cell in ((r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)))
        if neighbours != (2 if symbol == "o" else 1):
            return [f"the {symbol} in row {r + 1}, column {c + 1} has {neighbours} neighbours on the path"]
    reached, frontier = {start}, [start]
    while frontier:
        r, c = frontier.pop()
        for cell in ((r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)):
            if cell in path and cell not in reached:
                reached.add(cell)
                frontier.append(cell)
    return [] if len(reached) == len(path) else ["some marks are not connected to S"]
