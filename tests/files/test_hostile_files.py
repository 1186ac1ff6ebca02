from __future__ import annotations

from pathlib import Path

import pytest
from fuzz_files import REFUSED, SOUND, answer_to, fuzzed
from hostile import HostileFiles, crafted


@pytest.fixture(scope="module")
def hostile() -> HostileFiles:
    return HostileFiles()


@pytest.mark.parametrize("part", range(3))
def test_spoilt_files_give_sound_or_a_sentence(
    tmp_path: Path,
    hostile: HostileFiles,
    part: int,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = tmp_path / "a.mp3"
    sound = 0
    for i in range(90 * part, 90 * (part + 1)):
        path.write_bytes(hostile(i))
        sound += answer_to(path) == SOUND
    assert 5 < sound < 90 or part == 0  # the first are random bytes
    # Decoders' own words, which do not name the file, are not to be seen.
    assert capfd.readouterr() == ("", "") and not caplog.records


@pytest.mark.parametrize("lie", crafted())
def test_lies_that_would_cost_memory_or_time_are_refused(tmp_path: Path, lie: str) -> None:
    path = tmp_path / "a.m4a"
    path.write_bytes(crafted()[lie])
    assert answer_to(path) == REFUSED


def test_a_process_with_limits_reads_the_first_files_of_the_fuzzer() -> None:
    """Bombs of memory and of time among them; all 1,000 are in `benchmarks/files.md`."""
    limit_s = 60.0  # a machine may have other work
    failed = [f"{file.way}: {report}" for file, report in fuzzed(60, limit_s) if report.failed]
    assert not failed
