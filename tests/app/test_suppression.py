"""What an attacker can work out of published tables, found by linear programming and not by the code that hides."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.statistics.suppression import TOTAL, Shape, add_up, blur, floors, hidden_cells, noise

LEAST = 5


def tables(most=14):
    """A province with one to three cities of one to three counties, two or three columns, and counts, many of them small."""
    counties = st.lists(st.integers(1, 3), min_size=1, max_size=3)
    count = st.one_of(st.integers(0, 4), st.integers(0, most))
    return st.tuples(counties, st.integers(2, 3), st.lists(count, min_size=27, max_size=27)).map(lambda drawn: made(*drawn))


def made(counties, columns, counts):
    parents = {"33": None}
    for city, many in enumerate(counties):
        parents[f"33{city:02}"] = "33"
        parents |= {f"33{city:02}{county:02}": f"33{city:02}" for county in range(many)}
    shape = Shape(parents, ("land", "works", "other")[:columns])
    return shape, dict(zip(shape.leaf_cells, counts, strict=False))


def equations(shape):
    """All that a reader knows of how the cells hang together: (cells that add up, their sum)."""
    columns = (*shape.columns, TOTAL)
    known = [([(place, column) for column in shape.columns], (place, TOTAL)) for place in shape.parents]
    for place in set(shape.parents.values()) - {None}:
        below = [one for one, above in shape.parents.items() if above == place]
        known += [([(one, column) for one in below], (place, column)) for column in columns]
    return known


def bounds(shape, values, hidden):
    """(least, greatest or None for without end) of each hidden cell, for whoever knows all others and that none is below zero."""
    names = sorted(hidden)
    rows = []
    for parts, whole in equations(shape):
        row = [Fraction((name in parts) - (name == whole)) for name in names]
        if any(row):
            known = values[whole] * (whole not in hidden) - sum(values[one] for one in parts if one not in hidden)
            rows.append([*row, Fraction(known)])
    start = reduced(rows, [values[name] for name in names])
    found = {}
    for n, name in enumerate(names):
        least = greatest(start, n, -1)
        assert least is not None
        found[name] = (-least, greatest(start, n, 1))
    return found


def reduced(rows, point):
    """(tableau, basis) with the basis at the vertex that is reached from a feasible point."""
    rows, basis, left = [list(row) for row in rows], [], list(range(len(point)))
    # Phase one of the simplex method: an artificial variable for each row, driven out again.
    for row in rows:
        if row[-1] < 0:
            row[:] = [-one for one in row]
    wide = len(point)
    tableau = [[*row[:-1], *(Fraction(n == m) for m in range(len(rows))), row[-1]] for n, row in enumerate(rows)]
    basis = [wide + n for n in range(len(rows))]
    cost = [Fraction(0)] * wide + [Fraction(-1)] * len(rows)
    assert climb(tableau, basis, cost) is not None, "the truth is feasible"
    for n in reversed(range(len(basis))):
        if basis[n] >= wide:
            assert tableau[n][-1] == 0
            pivot_at = next((m for m in left if tableau[n][m]), None)
            if pivot_at is None:
                del tableau[n], basis[n]
            else:
                pivot(tableau, basis, n, pivot_at)
    return [[*row[:wide], row[-1]] for row in tableau], basis


def greatest(start, column, sign):
    """The greatest value of `sign` times a cell, None when there is none."""
    tableau, basis = [list(row) for row in start[0]], list(start[1])
    wide = len(tableau[0]) - 1 if tableau else column + 1
    return climb(tableau, basis, [Fraction(sign * (n == column)) for n in range(wide)])


def climb(tableau, basis, cost):
    """The simplex method with Bland's rule, which never circles; changes tableau and basis."""
    wide = len(cost)
    if not tableau:
        return None if any(one > 0 for one in cost) else Fraction(0)
    while True:
        price = [cost[n] - sum(cost[b] * row[n] for b, row in zip(basis, tableau, strict=True)) for n in range(wide)]
        enters = next((n for n in range(wide) if price[n] > 0), None)
        if enters is None:
            return sum(cost[b] * row[-1] for b, row in zip(basis, tableau, strict=True))
        ratios = [(row[-1] / row[enters], basis[n], n) for n, row in enumerate(tableau) if row[enters] > 0]
        if not ratios:
            return None
        pivot(tableau, basis, min(ratios)[2], enters)


def pivot(tableau, basis, n, enters):
    by = tableau[n][enters]
    tableau[n] = [one / by for one in tableau[n]]
    for m, row in enumerate(tableau):
        if m != n and row[enters]:
            tableau[m] = [one - row[enters] * other for one, other in zip(row, tableau[n], strict=True)]
    basis[n] = enters


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(tables())
def test_whoever_knows_all_published_cells_finds_at_least_so_many_values_for_a_hidden_one(drawn):
    shape, counts = drawn
    values = add_up(shape, counts)
    hidden = hidden_cells(shape, values, LEAST)
    for cell, (low, high) in bounds(shape, values, hidden).items():
        assert high is None or high - low + 1 >= LEAST, (cell, low, high)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(tables(most=40))
def test_that_holds_as_well_where_cells_are_hidden_because_noise_could_have_made_them(drawn):
    shape, counts = drawn
    values = add_up(shape, counts)
    hidden = hidden_cells(shape, values, LEAST, floors(shape, LEAST))
    for cell, (low, high) in bounds(shape, values, hidden).items():
        assert high is None or high - low + 1 >= LEAST, (cell, low, high)


@settings(deadline=None)
@given(tables())
def test_no_cell_below_the_threshold_is_published(drawn):
    shape, counts = drawn
    values = add_up(shape, counts)
    for hidden in (hidden_cells(shape, values, LEAST), hidden_cells(shape, values, LEAST, floors(shape, LEAST))):
        assert {cell for cell, value in values.items() if value < LEAST} <= hidden


def test_a_figure_is_shown_from_three_times_its_noise_on():
    shape, _ = made([2, 2], 2, [0] * 8)
    from_ = floors(shape, 10)
    assert from_["330000", "land"] == 10, "one cell: the noise is smaller than the threshold"
    assert from_["33", "land"] == 12 and from_["33", TOTAL] == 17, "three times twice the root of four cells, of eight"


def test_hiding_the_small_cells_alone_would_give_them_away():
    shape, counts = made([2], 2, [3, 40, 50, 60])
    values = add_up(shape, counts)
    small = frozenset(cell for cell, value in values.items() if value < LEAST)
    assert bounds(shape, values, small) == {("330000", "land"): (3, 3)}
    assert small < hidden_cells(shape, values, LEAST)


@pytest.mark.parametrize("count", [0, 3])
def test_a_table_without_small_cells_is_published_whole_and_one_of_small_cells_not_at_all(count):
    shape, counts = made([2, 3], 3, [count] * 27)
    assert hidden_cells(shape, add_up(shape, dict.fromkeys(counts, 50)), LEAST) == frozenset()
    tiny = dict.fromkeys(counts, 0) | {("330000", "land"): count}
    assert hidden_cells(shape, add_up(shape, tiny), LEAST) == frozenset(add_up(shape, tiny))


@settings(deadline=None)
@given(tables(), st.binary(min_size=16, max_size=16), st.integers(0, 26))
def test_a_single_case_moves_its_own_cells_by_one_and_no_other(drawn, key, which):
    shape, counts = drawn
    place, column = shape.leaf_cells[which % len(shape.leaf_cells)]
    without = add_up(shape, blur(shape, counts, key, "2026-10", "filed"))
    more = {**counts, (place, column): counts.get((place, column), 0) + 1}
    with_it = add_up(shape, blur(shape, more, key, "2026-10", "filed"))
    moved = {cell: with_it[cell] - without[cell] for cell in with_it if with_it[cell] != without[cell]}
    assert moved == {(above, name): 1 for above in shape.lineage(place) for name in (column, TOTAL)}


@settings(deadline=None)
@given(tables(), st.binary(min_size=16, max_size=16))
def test_a_blurred_table_still_adds_up_and_hides_whatever_came_out_small(drawn, key):
    shape, counts = drawn
    values = add_up(shape, blur(shape, counts, key, "2026-10", "filed"))
    for parts, whole in equations(shape):
        assert values[whole] == sum(values[one] for one in parts)
    hidden = hidden_cells(shape, values, LEAST)
    assert all(values[cell] >= LEAST for cell in values if cell not in hidden)


def test_one_case_more_or_less_at_most_doubles_the_chance_of_any_figure():
    drawn = [noise(b"key", "2026-10", "filed", str(n)) for n in range(40_000)]
    chance = {n: drawn.count(n) / len(drawn) for n in range(-4, 5)}
    for n in range(-4, 4):
        assert 0.4 < chance[n + 1] / chance[n] < 2.5
    assert abs(sum(drawn) / len(drawn)) < 0.05, "nothing is added on the average"
    # In neither world is any figure impossible: it would be the proof that a case exists.
    assert min(drawn) <= -8 and max(drawn) >= 8


def test_the_noise_of_a_cell_is_the_same_each_time_and_another_with_another_key_period_or_place():
    assert noise(b"key", "2026-10", "330213", "land") == noise(b"key", "2026-10", "330213", "land")
    for changed in ((b"other", "2026-10", "330213"), (b"key", "2026-11", "330213"), (b"key", "2026-10", "330212")):
        drawn = [noise(changed[0], *changed[1:], str(n)) for n in range(50)]
        assert drawn != [noise(b"key", "2026-10", "330213", str(n)) for n in range(50)]
