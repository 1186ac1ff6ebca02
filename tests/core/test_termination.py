from __future__ import annotations

import os
import signal

import pytest

from saga_sr.core.termination import ends_in_order


@pytest.mark.usefixtures("hangups")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_being_asked_to_end_is_an_exit_that_clears_away(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    cleared = []
    with pytest.raises(SystemExit) as ended, ends_in_order():
        try:
            os.kill(os.getpid(), number)
            signal.sigtimedwait([], 5)
        finally:
            cleared.append(True)
    assert ended.value.code == 128 + number and cleared and signal.getsignal(number) == before


def test_what_the_user_has_passed_over_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ends_in_order():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
