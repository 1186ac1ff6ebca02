"""A blind test: of A, B and X the last is one of the others by chance, and a listener says which. Knows no sound."""

from __future__ import annotations

import csv
import io
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from math import comb

from saga_sr.core.errors import UsageError

A, B = "a", "b"
MOST_TRIALS = 100


@dataclass(frozen=True)
class Trial:
    """What X was, and what the listener said that it is; `a` or `b`."""

    x: str
    said: str

    @property
    def is_right(self) -> bool:
        """Whether they are the same."""
        return self.x == self.said


@dataclass
class BlindTest:
    """Trials, one after the other, as many as were agreed on; that number makes the p-value an honest one.

    Which of the two is A is drawn once, and what X is anew for each trial.

    Args:
        names: of the two that are compared, in the order that the listener gave them.
        count: of trials.
        draw: an integer from 0 up to, and without, its argument; which nobody can guess.

    Raises:
        UsageError: no possible number of trials.
    """

    names: tuple[str, str]
    count: int
    draw: Callable[[int], int] = secrets.randbelow
    answers: list[Trial] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        if not 1 <= self.count <= MOST_TRIALS:
            raise UsageError(f"A test of {self.count} trials is not possible; give 1 to {MOST_TRIALS}.")
        self._first = self.draw(2)
        self._x = (A, B)[self.draw(2)]
        self._is_stopped = False

    @property
    def is_over(self) -> bool:
        """Whether all trials are answered, or the listener has stopped."""
        return self._is_stopped or len(self.answers) == self.count

    @property
    def trial(self) -> int:
        """The number of the trial that is to be answered, from 1 on."""
        return len(self.answers) + 1

    @property
    def right(self) -> int:
        """How many answers were right."""
        return sum(answer.is_right for answer in self.answers)

    @property
    def p_value(self) -> float:
        """How likely so many right answers, or more, are for who hears no difference and guesses."""
        return chance_of_at_least(self.right, len(self.answers))

    def index(self, heard: str) -> int:
        """Which of the two `a`, `b` or `x` is, 0 or 1; nobody but who plays them may know."""
        letter = self._x if heard == "x" else heard
        return self._first if letter == A else 1 - self._first

    def answer(self, trial: int, said: str) -> None:
        """The listener says that X is `a` or `b`.

        Raises:
            UsageError: it is neither, the test is over, or it is another trial's turn.
        """
        if said not in (A, B):
            raise UsageError(f"X cannot be {said!r}; say a or b.")
        if self.is_over:
            raise UsageError("The test is over; begin another one.")
        if trial != self.trial:
            raise UsageError(f"Trial {trial} is answered already; it is trial {self.trial}'s turn.")
        self.answers.append(Trial(self._x, said))
        self._x = (A, B)[self.draw(2)]

    def stop(self) -> None:
        """End it before all trials are answered."""
        self._is_stopped = True

    def revealed(self) -> tuple[str, str]:
        """What A and B were.

        Raises:
            UsageError: the test is not over.
        """
        if not self.is_over:
            raise UsageError("What A and B are is told when the test is over.")
        return self.names[self.index(A)], self.names[self.index(B)]

    def as_csv(self) -> str:
        """The answers, a line for each, with all that was heard; once the test is over.

        Raises:
            UsageError: it is not.
        """
        a, b = self.revealed()
        held = io.StringIO()
        table = csv.writer(held, lineterminator="\n")
        table.writerow(["trial", "of", "a", "b", "x", "answer", "right"])
        for number, one in enumerate(self.answers, 1):
            table.writerow([number, self.count, a, b, one.x, one.said, int(one.is_right)])
        return held.getvalue()


def chance_of_at_least(right: int, count: int) -> float:
    """The probability of at least `right` heads of `count` tosses of a fair coin."""
    return sum(comb(count, heads) for heads in range(right, count + 1)) / 2**count
