"""Batches as their users run them: stopped at any instant, in several processes, on disks without room."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import soundfile
from programs import ROOT, Running, changed, environment, program
from recordings import sound

from saga_sr.inference.record import NAME, Record

pytestmark = pytest.mark.slow
RATE, FILES = 8000, 5
# Chunks of a tenth of the recording, in many steps: there is time to stop in the middle.
SLOW = ["chunk_s=0.5", "overlap_s=0.1", "steps=15", "format=wav"]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recordings")
    for i in range(FILES):
        path = folder / f"{i % 2}/song {i}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, sound(i, 5 * RATE, 1, RATE), RATE)
    return folder


@pytest.fixture(scope="module")
def wanted(recordings: Path, package: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The results of a run that nothing disturbs."""
    output = tmp_path_factory.mktemp("wanted")
    done = program(*command(recordings, output, package))
    assert done.returncode == 0, done.stderr
    return results(output)


def command(recordings: Path, output: Path, package: Path, *more: str) -> list[str]:
    return changed(["infer.py", f"input={recordings}", f"output={output}", f"model={package}", *SLOW], *more)


def results(output: Path) -> dict[str, bytes]:
    return {str(path.relative_to(output)): path.read_bytes() for path in output.rglob("*.wav")}


def left_over(output: Path) -> list[Path]:
    return [path for path in output.rglob("*") if path.is_file() and path.suffix != ".wav" and path.name != NAME]


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def more_or_ended(running: Running, output: Path, count: int) -> bool:
    return len(results(output)) > count or running.poll() is not None


def test_killed_again_and_again_it_goes_on_where_it_was(
    recordings: Path, package: Path, wanted: dict[str, bytes], tmp_path: Path
) -> None:
    output, said = tmp_path / "out", tmp_path / "said"
    for i in range(4):
        running = Running(*command(recordings, output, package), stderr=said)
        wait_for(partial(more_or_ended, running, output, len(results(output))))
        time.sleep(0.07 * i)
        running.kill()
        running.wait()
        assert {name: wanted[name] for name in results(output)} == results(output)  # whole or absent
        if len(results(output)) == FILES:
            break
    made = len(results(output))
    done = program(*command(recordings, output, package))
    assert done.returncode == 0 and results(output) == wanted, done.stderr
    # Of what was there, at most what was killed between its place and its note is made again.
    assert int(done.stderr.split(" of 5 files")[0].split()[-1]) <= FILES - made + 1
    assert not left_over(output)
    assert "0 of 5 files, 5 there already" in program(*command(recordings, output, package)).stderr


@pytest.mark.usefixtures("hangups")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_batch_that_is_asked_to_stop_leaves_nothing_unfinished(
    recordings: Path, package: Path, tmp_path: Path, number: signal.Signals, status: int, jobs: int
) -> None:
    output, manifest = tmp_path / "out", tmp_path / "run.json"
    words = command(recordings, output, package, f"jobs={jobs}", f"manifest={manifest}", "steps=500")
    running = Running(*words, spares=jobs)
    wait_for(lambda: [*output.rglob("*.part")])
    running.send_signal(number)
    assert running.wait() == status
    assert not left_over(output) and not results(output)
    assert {entry["status"] for entry in json.loads(manifest.read_text())["files"]} == {"begun", "not begun"}


def test_the_same_bytes_whatever_the_number_of_processes(
    recordings: Path, package: Path, wanted: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    shutil.copytree(recordings, tmp_path / "in", dirs_exist_ok=True)
    (tmp_path / "in/bad.wav").write_bytes(b"nothing")
    done = program(*command(tmp_path / "in", tmp_path / "out", package, "jobs=2"), spares=2)
    assert done.returncode == 1 and results(tmp_path / "out") == wanted
    assert done.stderr.count("Skipped: ") == 1 and "1 of 6 files could not be enhanced" in done.stderr
    assert {*Record.read(tmp_path / "out").made} == {*wanted}


def test_a_killed_worker_is_named_and_the_others_go_on(
    recordings: Path, package: Path, wanted: dict[str, bytes], tmp_path: Path
) -> None:
    output, said = tmp_path / "out", tmp_path / "said"
    words = command(recordings, output, package, "jobs=2", f"manifest={tmp_path}/run.json")
    running = Running(*words, stderr=said, spares=2)
    wait_for(lambda: len([*output.rglob("*.part")]) == 2)
    os.kill(workers_of(running.pid)[0], signal.SIGKILL)
    assert running.wait() == 1
    assert "has ended with signal 9" in said.read_text()
    assert "1 of 5 files could not be enhanced" in said.read_text()
    statuses = [entry["status"] for entry in json.loads((tmp_path / "run.json").read_text())["files"]]
    assert sorted(statuses) == ["done"] * 4 + ["failed"]
    assert results(output).items() <= wanted.items() and not left_over(output)


def workers_of(pid: int) -> list[int]:
    """The processes that a batch has started to share its files."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            is_child = int(path.read_text().rpartition(")")[2].split()[1]) == pid
            if is_child and b"forkserver" in (path.parent / "cmdline").read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def test_workers_end_with_a_killed_parent(recordings: Path, package: Path, tmp_path: Path) -> None:
    running = Running(*command(recordings, tmp_path / "out", package, "jobs=2", "steps=500"), spares=2)
    wait_for(lambda: len([*(tmp_path / "out").rglob("*.part")]) == 2)
    workers = workers_of(running.pid)
    assert len(workers) == 2
    running.kill()
    wait_for(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))
    assert not left_over(tmp_path / "out")


def test_two_runs_into_one_folder_do_not_disturb_each_other(
    recordings: Path, package: Path, wanted: dict[str, bytes], tmp_path: Path
) -> None:
    runs = [Running(*command(recordings / "1", tmp_path / "out", package)) for _ in range(2)]
    assert [running.wait() for running in runs] == [0, 0]
    wanted = {name.removeprefix("1/"): made for name, made in wanted.items() if name.startswith("1/")}
    assert results(tmp_path / "out") == wanted and not left_over(tmp_path / "out")
    for line in (tmp_path / "out" / NAME).read_bytes().splitlines():
        json.loads(line)
    assert {*Record.read(tmp_path / "out").made} == {*wanted}


@contextmanager
def small_disk(folder: Path, options: str) -> Iterator[Path]:
    """A disk of its own at `folder`, where one may be mounted."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("needs the right to mount a disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.skipif(shutil.which("mount") is None or os.geteuid() != 0, reason="needs the right to mount a disk")
def test_disks_that_are_full_or_read_only(
    recordings: Path, package: Path, wanted: dict[str, bytes], tmp_path: Path
) -> None:
    size = max(map(len, wanted.values()))
    with small_disk(tmp_path / "small", f"size={2 * size + size // 2}") as disk:
        done = program(*command(recordings, disk, package))
        assert done.returncode == 1 and "No space left on device" in done.stderr.splitlines()[-1]
        assert "3 of 5 files could not be enhanced" in done.stderr and done.stderr.count("cannot be written") == 1
        assert results(disk).items() <= wanted.items() and len(results(disk)) == 2 and not left_over(disk)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        done = program(*command(recordings, disk, package))
        assert done.returncode == 1 and "Read-only file system" in done.stderr.splitlines()[-1]
        assert "Traceback" not in done.stderr


def test_a_terminal_is_shown_bars_with_the_time_that_is_left(recordings: Path, package: Path, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
    words = command(recordings, tmp_path / "out", package, "jobs=2", "steps=15")
    running = subprocess.Popen([sys.executable, *words], cwd=ROOT, env=environment(), stderr=theirs)
    os.close(theirs)
    said = b""
    while select.select([ours], [], [], 120)[0]:
        try:
            said += os.read(ours, 65_536)
        except OSError:
            break
    assert running.wait() == 0
    text = said.decode()
    assert "All: " in text and "of 5 files, " in text and " x real time, " in text and " left" in text
    assert "song 0.wav: " in text and " of 5 s, " in text
    assert text.count(" -> ") == FILES
