"""Files that are not what they should be, read to their end as enhancing reads them, in processes with limits.

python tests/fuzz_files.py [FILES]

Each has to give sound of the shape that it says, or one sentence, in 10 s and 2 GB, and leave nothing behind.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
import traceback
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from hostile import Hostile, hostile_files

from saga_sr.core.errors import SagaError
from saga_sr.files.channel_layout import read_mask
from saga_sr.files.reading import AudioReader
from saga_sr.inference.result_tags import result_tags

SECONDS, MEGABYTES = 10.0, 2048
STARTS_WITHIN_S = 120.0
BLOCK = 1 << 19
SOUND, REFUSED = "sound", "a sentence"


def answer_to(path: Path) -> str:
    """What reading all of a file gives, as enhancing does it: `SOUND` or `REFUSED`.

    Raises:
        AssertionError: it is neither.
    """
    try:
        with AudioReader(path, flawless=False) as reader:
            info, done = reader.info, 0
            while done < info.frames:
                block = reader.read(done, BLOCK)
                assert block.shape == (info.channels, min(BLOCK, info.frames - done)), block.shape
                done += BLOCK
            middle = reader.read(info.frames // 2, 1000)
            assert middle.shape == (info.channels, min(1000, info.frames - info.frames // 2)), middle.shape
            said = list(reader.notes)
        read_mask(path, None, info.channels)
        said += result_tags(path, info, info.sample_rate, "")[1]
    except SagaError as error:
        check_sentence(path, str(error))
        return REFUSED
    for note in said:
        check_sentence(path, note)
    return SOUND


def check_sentence(path: Path, text: str) -> None:
    assert text.startswith(str(path)) and text.endswith(".") and "\n" not in text and len(text) < 600, text


class Report(NamedTuple):
    """What became of a file: `SOUND`, `REFUSED` or how it failed; seconds, and the most memory held."""

    answer: str
    seconds: float
    megabytes: float

    @property
    def failed(self) -> bool:
        """Whether it is what must not be."""
        return self.answer not in (SOUND, REFUSED)


def serve() -> None:
    """Be a process that reads files: their paths come in, and a report goes out for each."""
    out = os.fdopen(os.dup(1), "w")
    said = os.open(os.environ["SAID"], os.O_RDWR | os.O_CREAT | os.O_APPEND)
    os.dup2(said, 1)
    os.dup2(said, 2)
    print(json.dumps("ready"), file=out, flush=True)
    for line in sys.stdin:
        path = Path(json.loads(line))
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins here
        begin = time.perf_counter()
        try:
            answer = answer_to(path)
        except BaseException:
            answer = traceback.format_exc()
        seconds = time.perf_counter() - begin
        print(json.dumps(Report(answer, seconds, held("VmHWM", "self"))), file=out, flush=True)


def held(what: str, process: int | str) -> float:
    """What a process holds or held at most, in MB; nothing of one that is gone."""
    try:
        return int(Path(f"/proc/{process}/status").read_text().split(f"{what}:")[1].split()[0]) / 1024
    except (OSError, IndexError):
        return 0.0


class Server:
    """A process that reads files, started again where one was too much for it.

    Args:
        folder: for it alone.
        seconds: that it may take for a file.
    """

    def __init__(self, folder: Path, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self.said, self.folder = folder / "said", folder / "files"
        self.folder.mkdir()
        self._process: subprocess.Popen[str] | None = None

    def report(self, file: Hostile) -> Report:
        """What becomes of `file`."""
        path = self.folder / file.name
        path.write_bytes(file.data)
        process = self._process or self._started()
        assert process.stdin is not None
        print(json.dumps(str(path)), file=process.stdin, flush=True)
        begin = time.perf_counter()
        line = self._line(process, self.seconds, MEGABYTES)
        if line is None:
            seconds, peak = time.perf_counter() - begin, held("VmHWM", process.pid)
            report = Report(f"killed with status {process.poll()}", seconds, peak)
            self.close()
        else:
            report = Report(*json.loads(line))
        path.unlink()
        left, said = [entry.name for entry in self.folder.iterdir()], self.said.read_text(errors="replace")
        os.truncate(self.said, 0)
        if left or said:
            report = report._replace(answer=f"{report.answer}; left {left}; printed {said!r}")
        elif report.megabytes > MEGABYTES and not report.failed:
            report = report._replace(answer=f"{report.answer}, in too much memory")
        return report

    def _started(self) -> subprocess.Popen[str]:
        environment = {**os.environ, "SAID": str(self.said), "TMPDIR": str(self.folder), "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=environment, cwd=self.folder,
        )  # fmt: skip
        if self._line(self._process, STARTS_WITHIN_S, MEGABYTES) is None:
            raise RuntimeError(f"The process that reads files did not start: {self.said.read_text()}")
        return self._process

    def _line(self, process: subprocess.Popen[str], seconds: float, megabytes: float) -> str | None:
        """What a process says within its limits; None where it says nothing."""
        assert process.stdout is not None
        end = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while time.monotonic() < end and held("VmRSS", process.pid) <= megabytes:
                if selector.select(0.02):
                    return process.stdout.readline() or None
        return None

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        self._process = None


@dataclass
class Tally:
    """What became of files that are wrong in one way."""

    files: int = 0
    sound: int = 0
    failed: int = 0
    seconds: float = 0.0
    megabytes: float = 0.0

    def add(self, report: Report) -> None:
        """Count one more."""
        self.files += 1
        self.sound += report.answer == SOUND
        self.failed += report.failed
        self.seconds, self.megabytes = max(self.seconds, report.seconds), max(self.megabytes, report.megabytes)


def fuzzed(count: int, seconds: float = SECONDS) -> Iterator[tuple[Hostile, Report]]:
    """The first `count` hostile files, and what becomes of each within so many seconds."""
    with TemporaryDirectory() as folder:
        server = Server(Path(folder), seconds)
        try:
            for file in islice(hostile_files(), count):
                yield file, server.report(file)
        finally:
            server.close()


def main(count: int) -> int:
    """Read `count` files, and print what became of them."""
    tallies: dict[str, Tally] = defaultdict(Tally)
    for i, (file, report) in enumerate(fuzzed(count)):
        for name in (file.way.partition(":")[0], "all"):
            tallies[name].add(report)
        if report.failed:
            print(
                f"file {i}, {file.name}, {file.way}: {report.seconds:.1f} s, {report.megabytes:.0f} MB, {report.answer}"
            )
    columns = ("way", "files", "sound", "one sentence", "failures", "slowest (s)", "most memory (MB)")
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    for name, tally in sorted(tallies.items(), key=lambda item: item[0] == "all"):
        refused = tally.files - tally.sound - tally.failed
        figures = f"{tally.files} | {tally.sound} | {refused} | {tally.failed}"
        print(f"| {name} | {figures} | {tally.seconds:.2f} | {tally.megabytes:.0f} |")
    return int(tallies["all"].failed > 0)


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        serve()
    else:
        sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else 1000))
