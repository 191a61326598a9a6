"""Names beside the points of a plot, where they cover nothing; those without a place are left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

CHARACTER, LINE = 5.8, 12.0  # of the plots' font, in pixels
GAP = 7.0  # between a point and its name
DOT = 5.0  # half the side of a point


@dataclass(frozen=True, kw_only=True)
class Point:
    """A point in pixels from the upper left corner, and its name. Placed: the left middle of the name."""

    x: float
    y: float
    text: str


Box = tuple[float, float, float, float]


def placed(points: Sequence[Point], width: float, height: float) -> list[Point]:
    """Return the names that find a place: right, left, above or below their point, the first points first."""
    taken: list[Box] = [(p.x - DOT, p.y - DOT, p.x + DOT, p.y + DOT) for p in points]
    found = []
    for point in points:
        for place in _places(point):
            box = (place.x, place.y - LINE / 2, place.x + CHARACTER * len(point.text), place.y + LINE / 2)
            inside = box[0] >= 0 and box[2] <= width and box[1] >= -LINE / 2 and box[3] <= height
            if inside and not any(_overlap(box, other) for other in taken):
                found.append(place)
                taken.append(box)
                break
    return found


def _places(point: Point) -> Iterator[Point]:
    long = CHARACTER * len(point.text)
    for up in (0, -1, 1, -2, 2):
        for left in (point.x + GAP, point.x - GAP - long, point.x - long / 2):
            if up or left != point.x - long / 2:
                yield replace(point, x=left, y=point.y + up * LINE)


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
