"""Recordings that are read again and again, kept open: to open an hour of MP3 takes most of a second."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from saga_sr.app.workspace import Entry
from saga_sr.files.reading import AudioReader

# Files that are open at a time; each holds at most some 16 MB of what was read last.
KEPT = 6


@dataclass
class _Open:
    """A file that is open once it was asked for."""

    reader: AudioReader | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    stack: ExitStack = field(default_factory=ExitStack)


class OpenRecordings:
    """Readers of recordings by what they are read for, since some formats can only be read on from where one was.

    Args:
        is_there: whether there still is a recording of that key; files of others are closed.
    """

    def __init__(self, is_there: Callable[[str], bool]) -> None:
        self._is_there = is_there
        self._open: OrderedDict[tuple[str, str], _Open] = OrderedDict()
        self._lock = threading.Lock()

    @contextmanager
    def reading(self, entry: Entry, purpose: str) -> Iterator[AudioReader]:
        """A reader of the recording that nobody else uses meanwhile.

        Raises:
            AudioError: it cannot be read any more.
        """
        name = entry.key, purpose
        with self._lock:
            one = self._open.setdefault(name, _Open())
            self._open.move_to_end(name)
            old = [*self._open][:-KEPT]
            closing = [self._open.pop(other) for other in [*self._open] if other in old or not self._is_there(other[0])]
        for other in closing:
            if other is not one:
                with other.lock:
                    other.reader = None
                    other.stack.close()
        with one.lock:
            if one.reader is None:
                one.reader = one.stack.enter_context(AudioReader(entry.file, flawless=False))
            yield one.reader
