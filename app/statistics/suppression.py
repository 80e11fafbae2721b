"""What of a table of counts may be published: noise that hides a single case, and cells that nobody can work out.

Pure. A table has a tree of places and columns that add up to a total. Counts are given for the leaves of the tree; every
other cell is a sum, so that whatever holds for the leaves holds for all that is computed from them.
"""

import hashlib
import heapq
import hmac
from collections import defaultdict
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from math import ceil, sqrt

TOTAL = "total"
NOISE_VARIANCE = 4  # of a two-sided geometric distribution with the ratio 1/2

Cell = tuple[str, str]  # place, column
_Vertex = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Shape:
    """The cells of a table. `parents`: each place and the one above it, None for the topmost. `columns` without the total."""

    parents: Mapping[str, str | None]
    columns: tuple[str, ...]
    leaves: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "leaves", frozenset(self.parents) - set(self.parents.values()))

    @property
    def leaf_cells(self) -> list[Cell]:
        """The cells that counts are given for."""
        return [(place, column) for place in sorted(self.leaves) for column in self.columns]

    def lineage(self, place: str) -> list[str]:
        """The place and everything above it."""
        line: list[str] = []
        here: str | None = place
        while here is not None:
            line.append(here)
            here = self.parents[here]
        return line


def noise(key: bytes, *cell: str) -> int:
    """The noise of a cell, the same whenever it is asked for: n with the chance 2^-|n| / 3.

    The chances of two neighbours differ by a factor of two at most, so whatever is published would have been at most twice
    as likely, and at least half as likely, with one case more or less. Who does not have the key can not predict it.
    """
    drawn = hmac.digest(key, "\x1f".join(cell).encode(), hashlib.sha256)
    return _ones(drawn[:16]) - _ones(drawn[16:])


def _ones(drawn: bytes) -> int:
    """Leading one-bits: n with the chance 2^-(n + 1)."""
    bits = f"{int.from_bytes(drawn):0{8 * len(drawn)}b}"
    return len(bits) - len(bits.lstrip("1"))


def blur(shape: Shape, counts: Mapping[Cell, int], key: bytes, *label: str) -> dict[Cell, int]:
    """The counts of all leaf cells with their noise; those that are not given count as zero. Some become negative."""
    return {cell: counts.get(cell, 0) + noise(key, *label, *cell) for cell in shape.leaf_cells}


def add_up(shape: Shape, counts: Mapping[Cell, int]) -> dict[Cell, int]:
    """Every cell of the table, totals and higher places included, from its leaf cells."""
    made: dict[Cell, int] = {(place, column): 0 for place in shape.parents for column in (*shape.columns, TOTAL)}
    for place, column in shape.leaf_cells:
        for above in shape.lineage(place):
            for name in (column, TOTAL):
                made[above, name] += counts.get((place, column), 0)
    return made


def floors(shape: Shape, least: int) -> dict[Cell, int]:
    """From which value on each cell is shown: `least`, or three times the standard deviation of its noise, so that noise alone
    is not taken for cases. It depends on nothing but the shape.
    """
    cells = add_up(shape, dict.fromkeys(shape.leaf_cells, 1))
    return {cell: max(least, ceil(3 * sqrt(NOISE_VARIANCE * parts))) for cell, parts in cells.items()}


def hidden_cells(
    shape: Shape, values: Mapping[Cell, int], least: int, floors: Mapping[Cell, int] | None = None
) -> frozenset[Cell]:
    """The cells that must not be shown: all below `least` (or below their own floor, never a lower one), and as many others as
    it takes to protect them.

    Whoever knows every other cell, and that the cells of a place and the places below a place add up, finds at least
    `least` values possible for each hidden cell.
    """
    small = {cell for cell, value in values.items() if value < (least if floors is None else floors[cell])}
    return _Protection(shape, values, least, small).run()


class _Protection:
    """The table as a network in which every cell is an arc that carries its value, and every sum a vertex where as much
    arrives as leaves.

    Whatever flows round a cycle of hidden cells, up along some and down along others, leaves all sums as they are: that is
    what a reader can not see. A hidden cell is safe when so much can flow through it, down and up together, that it takes on
    `least` values. Where too little can flow, the cheapest ways round are hidden as well. There is always one, because a
    cell can grow with its totals. Hiding more never takes freedom from a cell that is safe.
    """

    def __init__(self, shape: Shape, values: Mapping[Cell, int], least: int, small: set[Cell]):
        self.values, self.wanted, self.hidden = values, least - 1, small
        self.ends = {cell: _ends(shape, cell) for cell in values}
        # (other end, cell, grows) of every move out of a vertex: along the arc the cell grows, against it the cell shrinks.
        self.moves: defaultdict[_Vertex, list[tuple[_Vertex, Cell, bool]]] = defaultdict(list)
        for cell, (tail, head) in self.ends.items():
            self.moves[tail].append((head, cell, True))
            if values[cell] > 0:
                self.moves[head].append((tail, cell, False))

    def run(self) -> frozenset[Cell]:
        safe: set[Cell] = set()
        while waiting := self.hidden - safe:
            for cell in sorted(waiting, key=lambda one: (-self.values[one], one)):
                tail, head = self.ends[cell]
                down = self._push(tail, head, cell, min(max(self.values[cell], 0), self.wanted), among=self.hidden)
                self._push(head, tail, cell, self.wanted - down)
            safe |= waiting
        return frozenset(self.hidden)

    def _push(self, start: _Vertex, goal: _Vertex, cell: Cell, amount: int, among: Set[Cell] | None = None) -> int:
        """Send up to `amount` from start to goal past the cell, hide what it flows through, and return how much it was.

        With `among` it flows through these cells alone. How far a cell has shrunk is kept from way to way.
        """
        left, shrunk = amount, dict.fromkeys(self.values, 0) if amount > 0 else {}
        while left > 0:
            way = self._cheapest(start, goal, cell, shrunk, among)
            if way is None:
                break
            fits = min([left, *(self.values[one] - shrunk[one] for one, grows in way if not grows)])
            for one, grows in way:
                shrunk[one] += 0 if grows else fits
            self.hidden |= {one for one, _ in way}
            left -= fits
        return amount - left

    def _cheapest(
        self, start: _Vertex, goal: _Vertex, cell: Cell, shrunk: Mapping[Cell, int], among: Set[Cell] | None
    ) -> list[tuple[Cell, bool]] | None:
        """The moves of the way that hides the least: what is hidden already costs nothing. None when there is no way."""
        came: dict[_Vertex, tuple[_Vertex, Cell, bool] | None] = {}
        heap: list[tuple[int, int, _Vertex, tuple[_Vertex, Cell, bool] | None]] = [(0, 0, start, None)]
        while heap:
            cost, steps, here, by = heapq.heappop(heap)
            if here in came:
                continue
            came[here] = by
            if here == goal:
                return _walked(came, goal)
            for there, through, grows in self.moves[here]:
                if there in came or through == cell or not (grows or self.values[through] > shrunk[through]):
                    continue
                if among is None or through in among:
                    price = 0 if through in self.hidden else max(self.values[through], 0) + 1
                    heapq.heappush(heap, (cost + price, steps + 1, there, (here, through, grows)))
        return None


def _walked(came: Mapping[_Vertex, tuple[_Vertex, Cell, bool] | None], goal: _Vertex) -> list[tuple[Cell, bool]]:
    way, step = [], came[goal]
    while step is not None:
        way.append((step[1], step[2]))
        step = came[step[0]]
    return way


def _ends(shape: Shape, cell: Cell) -> tuple[_Vertex, _Vertex]:
    """Tail and head of the arc of a cell: a column flows down the tree, the total of each leaf flows up again."""
    place, column = cell
    above = shape.parents[place]
    # One vertex where column and total of a leaf meet, and one above the topmost place, whose sum the others imply.
    outer = (above, column) if above is not None else ("", shape.lineage(place)[-1])
    inner = (place, "") if place in shape.leaves else (place, column)
    return (inner, outer) if column == TOTAL else (outer, inner)
