"""A blind test by itself: what is drawn, what is told, and how likely the result is by chance."""

from __future__ import annotations

import csv
import io
import itertools

import pytest
from scipy.stats import binomtest

from saga_sr.app.blind_test import BlindTest, chance_of_at_least
from saga_sr.core.errors import UsageError

NAMES = ("fast", "best")


def drawing(*values: int) -> BlindTest:
    """A test of three trials for which `values` are drawn: whether A is the second, then what X is."""
    drawn = itertools.chain(values, itertools.repeat(0))
    return BlindTest(NAMES, 3, lambda _: next(drawn))


def test_the_chance_is_that_of_the_one_sided_binomial_test() -> None:
    for count in (1, 5, 16, 100):
        for right in {0, 1, count // 2, count - 1, count}:
            expected = binomtest(right, count, 0.5, alternative="greater").pvalue
            assert chance_of_at_least(right, count) == pytest.approx(expected, rel=1e-9)
    assert chance_of_at_least(0, 0) == 1


def test_x_is_one_of_the_two_and_answers_are_counted() -> None:
    test = drawing(1, 0, 1, 1)  # A is the second of the two; X is A, B, B
    heard = []
    for trial, said in enumerate("aba", 1):
        heard.append((test.index("a"), test.index("b"), test.index("x")))
        test.answer(trial, said)
    assert heard == [(1, 0, 1), (1, 0, 0), (1, 0, 0)]
    assert (test.is_over, test.right, len(test.answers)) == (True, 2, 3)
    assert test.p_value == pytest.approx(binomtest(2, 3, 0.5, alternative="greater").pvalue)
    assert test.revealed() == ("best", "fast")
    table = [*csv.DictReader(io.StringIO(test.as_csv()))]
    assert [(row["a"], row["b"]) for row in table] == [("best", "fast")] * 3
    assert [(row["trial"], row["x"], row["answer"], row["right"]) for row in table] == [
        ("1", "a", "a", "1"), ("2", "b", "b", "1"), ("3", "b", "a", "0"),
    ]  # fmt: skip


def test_nothing_is_told_before_it_is_over() -> None:
    test = drawing(0)
    test.answer(1, "a")
    for tell in (test.revealed, test.as_csv):
        with pytest.raises(UsageError, match="is over"):
            tell()
    test.stop()
    assert test.revealed() == NAMES and (test.right, test.p_value) == (1, 0.5)


def test_a_trial_is_answered_once() -> None:
    test = drawing(0)
    test.answer(1, "a")
    with pytest.raises(UsageError, match="Trial 1 is answered already"):
        test.answer(1, "b")
    with pytest.raises(UsageError, match="X cannot be 'c'"):
        test.answer(2, "c")
    test.stop()
    with pytest.raises(UsageError, match="test is over"):
        test.answer(2, "a")
    with pytest.raises(UsageError, match="101 trials"):
        BlindTest(NAMES, 101)


def test_what_is_drawn_is_fair_and_of_its_own_each_time() -> None:
    tests = [BlindTest(NAMES, 1) for _ in range(400)]
    for heard in ("a", "x"):
        assert 130 < sum(test.index(heard) for test in tests) < 270
    assert 130 < sum(test.index("x") == test.index("a") for test in tests) < 270
