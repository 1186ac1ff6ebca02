"""Whatever a file holds, it gives sound or one sentence, soon and in little memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from hostile import HostileFiles, crafted

from saga_sr.audio.files import AudioReader
from saga_sr.core.errors import AudioError


def is_sound_or_a_sentence(path: Path) -> bool:
    """Whether a file gives sound, of the length and shape that it says."""
    try:
        with AudioReader(path, flawless=False) as reader:
            info = reader.info
            for start in (0, info.frames // 2, max(info.frames - 1000, 0)):
                audio = reader.read(start, 50_000)
                assert audio.shape == (info.channels, min(50_000, info.frames - start))
            assert all(note.endswith(".") for note in reader.notes)
            return True
    except AudioError as error:
        message = str(error)
        assert message.startswith(str(path)) and message.endswith(".") and "\n" not in message
        return False


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
    for i in range(70 * part, 70 * (part + 1)):
        path.write_bytes(hostile(i))
        sound += is_sound_or_a_sentence(path)
    assert 5 < sound < 70 or part == 0  # the first are random bytes
    # Decoders' own words, which do not name the file, are not to be seen.
    assert capfd.readouterr() == ("", "") and not caplog.records


@pytest.mark.parametrize("lie", crafted())
def test_lies_that_would_cost_memory_or_time_are_refused(tmp_path: Path, lie: str) -> None:
    path = tmp_path / "a.m4a"
    path.write_bytes(crafted()[lie])
    assert not is_sound_or_a_sentence(path)
