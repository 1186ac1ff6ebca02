"""One recording being restored: what is ready can be heard before all is, and saved in any format once it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from saga_sr.core.errors import Cancelled, DiskError
from saga_sr.files.reading import AudioReader
from saga_sr.inference.enhancer import Enhancer
from saga_sr.inference.output import Output
from saga_sr.inference.restoring import reason_of_failure
from saga_sr.inference.settings import EnhanceSettings

WAITING, RUNNING, DONE, FAILED, CANCELLED = "waiting", "running", "done", "failed", "cancelled"
# Samples of all channels that are read back at once.
BLOCK = 1 << 20


class Enhancement:
    """A recording, a model with settings, and the result as far as it goes.

    The result is kept as it comes from the model, in floats, so what is saved of it is what the command line makes.

    Attributes:
        state: `waiting`, `running`, `done`, `failed` (for the reason `failure`, a sentence) or `cancelled`.
        done_s, total_s: seconds of the recording that are done, and in all.
        cancel: set to stop it.
        notes: what should be known of the recording, a sentence each.
    """

    def __init__(self, source: Path, enhancer: Enhancer, result: Path) -> None:
        self.source, self.enhancer, self._result = source, enhancer, result
        self.state, self.failure = WAITING, ""
        self.done_s = self.total_s = 0.0
        self.cancel = threading.Event()
        self.notes: list[str] = []
        self.channels = 0
        self._began = self._ended = 0.0

    @property
    def is_over(self) -> bool:
        """Whether nothing more becomes of it."""
        return self.state in (DONE, FAILED, CANCELLED)

    @property
    def took_s(self) -> float:
        """Seconds of computing so far."""
        return (self._ended or time.perf_counter()) - self._began if self._began else 0.0

    @property
    def speed(self) -> float:
        """Seconds of the recording done in a second; 0 as long as none are."""
        return self.done_s / self.took_s if self.done_s else 0.0

    @property
    def left_s(self) -> float | None:
        """About how many seconds it will take yet; None where that is not known."""
        return (self.total_s - self.done_s) / self.speed if self.speed else None

    def run(self) -> None:
        """Do it; what goes wrong is said in `failure`."""
        if self.cancel.is_set():
            self.state = CANCELLED
            return
        self.state, self._began = RUNNING, time.perf_counter()
        try:
            self._restore()
            self.state = DONE
        except Cancelled:
            self.state = CANCELLED
        except Exception as error:
            self.failure, self.state = reason_of_failure(error, self.source), FAILED
        self._ended = time.perf_counter()

    def _restore(self) -> None:
        with self.enhancer.open(self.source, progress=self._at, cancel=self.cancel) as opened:
            self.total_s = opened.duration_s
            if self.cancel.is_set():
                raise Cancelled("Enhancing was cancelled.")
            try:
                with self._result.open("wb", buffering=0) as file:
                    self.channels = opened.info.channels
                    for block in opened.blocks():
                        file.write(block.float().T.contiguous().numpy().tobytes())
            except OSError as error:
                raise DiskError(f"The result cannot be kept ({error.strerror}); free some space.") from error
            self.notes = opened.notes

    def _at(self, done_s: float, total_s: float) -> None:
        self.done_s = done_s

    def stretch(self, begin: int, end: int) -> Tensor:
        """Samples [channel, time] of the result, at the model's rate, as far as they are there."""
        if not self.channels:
            return torch.empty(0, 0)
        with self._result.open("rb") as file:
            file.seek(4 * self.channels * begin)
            data = file.read(4 * self.channels * (end - begin))
        whole = len(data) // (4 * self.channels) * self.channels
        return torch.from_numpy(np.frombuffer(data, np.float32, whole).reshape(-1, self.channels).T.copy())

    def blocks(self) -> Iterator[Tensor]:
        """The result, [channel, time] by [channel, time]."""
        size, begin = max(1, BLOCK // self.channels), 0
        while (block := self.stretch(begin, begin + size)).shape[1]:
            yield block
            begin += block.shape[1]

    def save(self, target: Path, settings: EnhanceSettings) -> list[str]:
        """Write the result to `target`, with the tags of the recording; what should be known of it, a sentence each.

        Args:
            settings: how files are written; what they say of enhancing is done already.

        Raises:
            AudioError: the format does not take it, or it cannot be written.
        """
        with (
            AudioReader(self.source, flawless=False, stream=settings.stream) as file,
            Output(target, settings, file.file, file.info, self.enhancer.sample_rate, self.enhancer.name) as output,
        ):
            return output.save(self.blocks())
