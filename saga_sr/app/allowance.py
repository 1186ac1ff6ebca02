"""How much computing a user may ask for in an hour."""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque

from saga_sr.core.errors import UsageError

HOUR_S = 3600.0


class Allowance:
    """Seconds of computing, `seconds` for each user in any hour; as many as they like if None."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._spent: defaultdict[str, deque[tuple[float, float]]] = defaultdict(deque)
        self._lock = threading.Lock()

    def spend(self, user: str, seconds: float) -> None:
        """`user` has just used so much."""
        if self._seconds is not None:
            with self._lock:
                self._spent[user].append((time.monotonic(), seconds))

    def check(self, user: str) -> None:
        """See whether `user` has some left.

        Raises:
            UsageError: no.
        """
        if self._seconds is None:
            return
        with self._lock:
            spent, now = self._spent[user], time.monotonic()
            while spent and now - spent[0][0] > HOUR_S:
                spent.popleft()
            if sum(seconds for _, seconds in spent) >= self._seconds:
                wait_min = (HOUR_S - (now - spent[0][0])) / 60
                raise UsageError(
                    f"The {self._seconds:g} s of computing that a user has here in an hour are used up; come again in "
                    f"{wait_min:.0f} minutes."
                )
