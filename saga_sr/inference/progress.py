"""How far an enhancement is, told to its caller, and the caller's wish to stop it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from saga_sr.core.errors import Cancelled

# Seconds of audio done, and in all.
Progress = Callable[[float, float], None]


class CancelToken(Protocol):
    """What a caller sets to stop an enhancement, such as a `threading.Event`."""

    def is_set(self) -> bool:
        """Whether to stop."""


class Watch:
    """Looks between chunks whether to stop, and tells how far the work is."""

    def __init__(
        self, progress: Progress | None = None, cancel: CancelToken | None = None, total_s: float = 0.0
    ) -> None:
        self.progress = progress
        self.cancel = cancel
        self.total_s = total_s
        self.before_s = 0.0

    def at(self, done_s: float) -> None:
        """Called when `done_s` seconds of a recording are done, and `before_s` of those before it.

        Raises:
            Cancelled: the caller has set the token.
        """
        done_s += self.before_s
        if self.progress is not None:
            self.progress(done_s, self.total_s)
        if self.cancel is not None and self.cancel.is_set():
            raise Cancelled(f"Enhancing was cancelled after {done_s:.1f} of {self.total_s:.1f} s.")
