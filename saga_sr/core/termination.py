"""Programs that are asked to end do it in order: what they have begun is cleared away."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


@contextmanager
def ends_in_order() -> Iterator[None]:
    """SIGTERM, and SIGHUP of a terminal that closes, end what is done within as Ctrl-C does, with their own status.

    Of use in the main thread alone.

    Raises:
        SystemExit: the process was asked to end; 128 and the number of the signal.
    """
    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    numbers = [getattr(signal, name) for name in names]
    # nohup has the terminal's end passed over.
    before = {number: signal.getsignal(number) for number in numbers if signal.getsignal(number) != signal.SIG_IGN}
    for number in before:
        signal.signal(number, _end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
