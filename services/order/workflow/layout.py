"""Where a lifecycle's states and transitions lie in its picture: columns from left to right, endings below.

Plain geometry in pixels, and deterministic: the same file gives the same picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.order.workflow.lifecycle import Lifecycle, origins

WIDTH, HEIGHT = 176, 44
COLUMN_GAP, ROW_GAP = 92, 56
MARGIN, LANE, PORT = 24, 26, 22
# Boxes under one another are staggered, so that arrows from the upper ones pass by the lower ones.
STAGGER = 44

# More arrows than this cannot be told apart anyway, and placing them takes ever longer.
MOST_ARROWS = 400

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """A state; x and y are its upper left corner. above and below say what else stands in its column."""

    state: str
    x: float
    y: float
    above: bool = False
    below: bool = False

    @property
    def middle(self) -> Point:
        return self.x + WIDTH / 2, self.y + HEIGHT / 2


@dataclass(frozen=True, slots=True)
class Edge:
    """An arrow between two states, as a cubic curve, and the numbers of the transitions that it stands for."""

    source: str
    target: str
    numbers: tuple[int, ...]
    curve: tuple[Point, Point, Point, Point]
    mark: Point


@dataclass(frozen=True, slots=True)
class Layout:
    boxes: Mapping[str, Box]
    edges: tuple[Edge, ...]
    width: float
    height: float


Pairs = dict[tuple[str, str], list[int]]


def arrange(lifecycle: Lifecycle) -> Layout:
    """The picture's geometry, of the first MOST_ARROWS arrows. Numbers count the file's moving transitions from 1."""
    pairs = dict(list(_pairs(lifecycle).items())[:MOST_ARROWS])
    ended = [n for n, s in lifecycle.states.items() if s.phase == "canceled"]
    going = [n for n in lifecycle.states if n not in ended]
    columns = _columns(going, pairs, [t.state for t in lifecycle.document.initial])
    lanes = _lanes(columns, pairs)
    boxes = _boxes(columns, ended, pairs, MARGIN + LANE * (len(lanes) + 1) if lanes else MARGIN)
    edges = _edges(pairs, boxes, columns, lanes)
    width = max(b.x for b in boxes.values()) + WIDTH + MARGIN
    return Layout(boxes, edges, width, max(b.y for b in boxes.values()) + HEIGHT + MARGIN)


def _pairs(lifecycle: Lifecycle) -> Pairs:
    pairs: Pairs = {}
    number = 0
    for t in lifecycle.transitions:
        if not t.to:
            continue
        number += 1
        sources = origins(lifecycle.document, t)
        for source in (n for n in lifecycle.states if n in sources):
            for target in dict.fromkeys(x.state for x in t.to):
                if target != source:
                    pairs.setdefault((source, target), []).append(number)
    return pairs


def _columns(going: Sequence[str], pairs: Pairs, initial: Sequence[str]) -> dict[str, int]:
    """Column of each state: the longest way from the beginning, arrows that lead back left aside."""
    forward: dict[str, list[str]] = {n: [] for n in going}
    order: list[str] = []
    active: set[str] = set()
    done: set[str] = set()

    def visit(state: str) -> None:
        active.add(state)
        for source, target in pairs:
            if source == state and target in forward and target not in active:
                forward[state].append(target)
                if target not in done:
                    visit(target)
        active.discard(state)
        done.add(state)
        order.append(state)

    for state in (*initial, *going):
        if state in forward and state not in done:
            visit(state)
    columns = dict.fromkeys(going, 0)
    for state in reversed(order):
        for target in forward[state]:
            columns[target] = max(columns[target], columns[state] + 1)
    return columns


def _lanes(columns: Mapping[str, int], pairs: Pairs) -> dict[tuple[str, str], int]:
    """Arrows that pass over columns or lead back run in lanes above, the shortest lowest."""
    far = [p for p in pairs if p[0] in columns and p[1] in columns and columns[p[1]] != columns[p[0]] + 1]
    far.sort(key=lambda p: (abs(columns[p[1]] - columns[p[0]]), columns[p[0]], p))
    return {pair: i for i, pair in enumerate(far)}


def _boxes(columns: Mapping[str, int], ended: Sequence[str], pairs: Pairs, top: float) -> dict[str, Box]:
    by_column: dict[int, list[str]] = {}
    for state, column in columns.items():
        by_column.setdefault(column, []).append(state)
    tallest = max(len(states) for states in by_column.values())
    boxes: dict[str, Box] = {}
    for column, states in sorted(by_column.items()):
        shift = (tallest - len(states)) * (HEIGHT + ROW_GAP) / 2
        for row, state in enumerate(states):
            last = len(states) - 1
            left = MARGIN + column * (WIDTH + COLUMN_GAP) + (STAGGER * (row / last - 0.5) if last else 0)
            boxes[state] = Box(state, left, top + shift + row * (HEIGHT + ROW_GAP), row > 0, row < last)
    bottom = top + tallest * (HEIGHT + ROW_GAP) + ROW_GAP
    wanted = {n: _mean([boxes[s].x for s, t in pairs if t == n and s in boxes]) for n in ended}
    x = float(MARGIN)
    for state in sorted(ended, key=lambda n: (wanted[n], n)):
        x = max(x, wanted[state])
        boxes[state] = Box(state, x, bottom)
        x += WIDTH + MARGIN
    return boxes


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else float(MARGIN)


def _edges(
    pairs: Pairs, boxes: Mapping[str, Box], columns: Mapping[str, int], lanes: Mapping[tuple[str, str], int]
) -> tuple[Edge, ...]:
    edges: list[Edge] = []
    marks: list[Point] = []
    for (source, target), numbers in pairs.items():
        curve = _curve((source, target), pairs, boxes, columns, lanes)
        mark = _mark(curve, marks, boxes)
        marks.append(mark)
        edges.append(Edge(source, target, tuple(numbers), curve, mark))
    return tuple(edges)


def _curve(
    pair: tuple[str, str],
    pairs: Pairs,
    boxes: Mapping[str, Box],
    columns: Mapping[str, int],
    lanes: Mapping[tuple[str, str], int],
) -> tuple[Point, Point, Point, Point]:
    start, end = boxes[pair[0]], boxes[pair[1]]
    if pair[1] not in columns:
        x0 = start.middle[0] + _port(pair, [p for p in pairs if p[0] == pair[0] and p[1] not in columns], boxes, 1)
        x0 -= WIDTH / 2 - 18 if start.below else 0
        x1 = end.middle[0] + _port(pair, [p for p in pairs if p[1] == pair[1]], boxes, 0)
        y0, y1 = start.y + HEIGHT, end.y
        bend = max((y1 - y0) * 0.45, 24)
        return (x0, y0), (x0, y0 + bend), (x1, y1 - bend), (x1, y1)
    if pair in lanes:
        high = [p for p in lanes if pair[0] in p]
        low = [p for p in lanes if pair[1] in p]
        x0 = start.middle[0] + (high.index(pair) - (len(high) - 1) / 2) * PORT
        x0 += WIDTH / 2 - 18 if start.above else 0
        x1 = end.middle[0] + (low.index(pair) - (len(low) - 1) / 2) * PORT
        # a cubic whose two handles are at the same height rises to three quarters of it
        lift = min(start.y, end.y) - (LANE * (lanes[pair] + 1.4)) * 4 / 3
        return (x0, start.y), (x0, lift), (x1, lift), (x1, end.y)
    y0 = start.middle[1] + _port(
        pair, [p for p in pairs if p[0] == pair[0] and p[1] in columns and p not in lanes], boxes, 1, 12
    )
    y1 = end.middle[1] + _port(
        pair, [p for p in pairs if p[1] == pair[1] and p[0] in columns and p not in lanes], boxes, 0, 12
    )
    x0, x1 = start.x + WIDTH, end.x
    return (x0, y0), (x0 + COLUMN_GAP / 2, y0), (x1 - COLUMN_GAP / 2, y1), (x1, y1)


def _port(
    pair: tuple[str, str], rivals: Sequence[tuple[str, str]], boxes: Mapping[str, Box], far: int, step: float = PORT
) -> float:
    """How far from the middle of its side an arrow touches a box that several arrows share."""
    ranked = sorted(rivals, key=lambda p: (boxes[p[far]].y if step != PORT else boxes[p[far]].x, p))
    return (ranked.index(pair) - (len(ranked) - 1) / 2) * step


def _at(curve: tuple[Point, Point, Point, Point], t: float) -> Point:
    a, b, c, d = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
    p, q, r, s = curve
    return a * p[0] + b * q[0] + c * r[0] + d * s[0], a * p[1] + b * q[1] + c * r[1] + d * s[1]


def _mark(curve: tuple[Point, Point, Point, Point], taken: Sequence[Point], boxes: Mapping[str, Box]) -> Point:
    """Where on the curve its numbers stand: the most central place that nothing else covers."""
    for t in (0.5, 0.42, 0.58, 0.34, 0.66, 0.27, 0.73, 0.2, 0.8):
        x, y = _at(curve, t)
        clear = all(abs(x - u) > 26 or abs(y - v) > 20 for u, v in taken)
        if clear and not any(
            b.x - 14 < x < b.x + WIDTH + 14 and b.y - 12 < y < b.y + HEIGHT + 12 for b in boxes.values()
        ):
            return x, y
    return _at(curve, 0.5)
