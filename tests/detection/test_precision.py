"""How often a rule is right, and when that cannot be said."""

from __future__ import annotations

import pytest

from detection.precision import precision, wilson


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    # R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_is_that_of_the_literature(hits: int, of: int, low: float, high: float) -> None:
    share = wilson(hits, of)
    assert (round(share.low, 4), round(share.high, 4)) == (low, high)


def test_below_five_decided_items_nothing_is_said() -> None:
    assert precision({"A": 4}).strict is None
    few = precision({"A": 4, "E": 3, "F": 9})
    assert (few.decided, few.strict, few.data_errors, few.unverifiable) == (4, None, 3, 9)
    assert precision({"A": 4, "D": 1}).strict is not None


def test_errors_of_the_data_are_not_held_against_the_rule() -> None:
    clean, with_errors = (
        precision({"A": 6, "B": 2, "C": 1, "D": 1}),
        precision({"A": 6, "B": 2, "C": 1, "D": 1, "E": 50, "F": 7}),
    )
    assert clean.strict == with_errors.strict
    assert clean.strict is not None and clean.useful is not None
    assert (clean.strict.value, clean.useful.value) == (0.6, 0.8)


def test_a_verdict_that_does_not_exist_is_refused() -> None:
    with pytest.raises(KeyError):
        precision({"G": 1})
