"""`saga-sr measure`, as a user starts it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image
from programs import program

from saga_sr.cli import measure
from saga_sr.cli.main import FAILED, MISUSED, OK, dispatch, status_of
from saga_sr.core.errors import ConfigError

RATE = 16_000


def recording(path: Path, seconds: float = 2.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal(int(seconds * RATE)), RATE)
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    (tmp_path / "bad.wav").write_text("no audio")
    return tmp_path / "bad.wav"


@pytest.mark.slow
def test_the_program_prints_and_writes_what_it_measured(tmp_path: Path) -> None:
    path = recording(tmp_path / "a.wav")
    done = program(
        "-m", "saga_sr", "measure", str(path), f"json={tmp_path}/a.json", f"picture={tmp_path}/a.png", fresh=True
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert done.stdout.splitlines()[0] == f"{path}: 0:02.0, 16 kHz, 1 channel, WAV PCM_16"
    assert "full band (8 kHz)  above 7.4 kHz" in done.stdout
    said = json.loads((tmp_path / "a.json").read_text())
    assert said["schema"] == 1 and [file["path"] for file in said["files"]] == [str(path)]
    assert Image.open(tmp_path / "a.png").size[0] == 1200
    assert {file.name for file in tmp_path.iterdir()} == {"a.wav", "a.json", "a.png"}


def run(*words: str) -> int:
    return status_of(lambda: dispatch(["measure", *words]))


def test_a_bad_file_is_named_and_the_others_are_measured(
    tmp_path: Path, bad: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = recording(tmp_path / "good.wav")
    assert run(str(bad), str(good), f"json={tmp_path}/a.json") == FAILED
    said = capsys.readouterr()
    assert said.out.startswith(f"{good}: ") and f"Skipped: {bad} cannot be read as audio" in said.err
    assert said.err.splitlines()[-1].startswith("error: 1 of 2 files could not be measured: ")
    first, second = json.loads((tmp_path / "a.json").read_text())["files"]
    assert first["path"] == str(bad) and "cannot be read" in first["error"] and "error" not in second


def test_a_bad_file_alone_is_a_sentence(bad: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(bad)) == FAILED
    said = capsys.readouterr()
    assert not said.out and said.err.startswith(f"error: {bad} cannot") and len(said.err.splitlines()) == 1


def test_a_folder_has_a_picture_for_each_recording_beside_it_too(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav", "sub/a.wav", "sub/a.flac"):
        recording(tmp_path / name, 0.5)
    assert run(str(tmp_path), f"picture={tmp_path}") == OK
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.png")}
    assert found == {"a.png", "b.png", "sub/a.wav.png", "sub/a.flac.png"}


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["nowhere.wav"], MISUSED, "There is no file or folder nowhere.wav"),
        (["{}/a.wav", "input={}/b.wav"], MISUSED, "both given"),
        (["{}", "picture={}/x.png"], FAILED, "there are 2 recordings; give a folder"),
        (["{}/a.wav", "picture={}/x.jpg"], FAILED, "x.jpg is no .png file"),
        (["{}/a.wav", "json={}/a.wav/x.json"], FAILED, "x.json cannot be written"),
        (["{}/a.wav", "picture={}/a.wav/x.png"], FAILED, "x.png cannot be written"),
        (["{}/a.wav", "pictrue=x"], MISUSED, "picture"),
    ],
)
def test_what_cannot_be_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], status: int, said: str
) -> None:
    for name in ("a.wav", "b.wav"):
        recording(tmp_path / name, 0.5)
    assert run(*(word.format(tmp_path) for word in words)) == status
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and said in line
    assert {file.name for file in tmp_path.iterdir()} == {"a.wav", "b.wav"}


def test_without_what_draws_everything_else_is_done_and_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.startswith(("matplotlib.", "saga_sr.pages."))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    files = [str(recording(tmp_path / name, 0.5)) for name in ("a.wav", "b.wav")]
    assert run(*files, f"picture={tmp_path}/pictures", f"json={tmp_path}/a.json") == FAILED
    said = capsys.readouterr()
    assert [line.split(": ")[0] for line in said.out.splitlines() if line.startswith("/")] == files
    assert said.err == "error: matplotlib is not installed; this needs pip install 'saga-sr[train]'.\n"
    assert len(json.loads((tmp_path / "a.json").read_text())["files"]) == 2


def test_recordings_figures_and_pictures_may_be_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("upath")
    path, new = recording(tmp_path / "a.wav", 0.5), tmp_path / "new"
    # One kind of address has real folders, which are made.
    words = [f"local://{path}", f"json=local://{new}/deep/a.json", f"picture=local://{new}/pictures/"]
    assert run(*words) == OK, capsys.readouterr().err
    assert json.loads((new / "deep/a.json").read_text())["files"][0]["path"] == f"local://{path}"
    assert Image.open(new / "pictures/a.png").size[0] == 1200
    assert run(f"file://{path}", f"json=file://{new}/b.json", f"picture=file://{new}/b.png") == OK
    assert json.loads((new / "b.json").read_text())["files"][0]["path"] == str(path)
    assert Image.open(new / "b.png").size[0] == 1200


def test_two_recordings_never_share_a_picture() -> None:
    with pytest.raises(ConfigError, match=r"Several recordings would become a\.png"):
        measure.picture_files([Path("a.wav"), Path("a.wav")], "pictures")
    assert measure.picture_files([Path("a.wav")], None) == [None]


@pytest.mark.slow
def test_measuring_imports_neither_models_nor_what_draws(tmp_path: Path) -> None:
    path = recording(tmp_path / "a.wav", 0.5)
    code = (
        f"import sys; from saga_sr.cli.main import main\ntry: main(['measure', {str(path)!r}])\n"
        "except SystemExit: pass\n"
        "print([name for name in ('saga_sr.model', 'matplotlib', 'lightning') if name in sys.modules])"
    )
    done: subprocess.CompletedProcess[str] = program("-c", code, fresh=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stdout + done.stderr


@pytest.mark.slow
def test_enhance_prints_a_line_of_the_same(package: Path, tmp_path: Path) -> None:
    audio = 0.1 * np.random.default_rng(0).standard_normal((2 * RATE, 2))
    audio[:, 1] = 0
    audio[RATE : RATE + 4, 0] = 1
    soundfile.write(tmp_path / "a.wav", audio, RATE)
    done = program("infer.py", str(tmp_path / "a.wav"), str(tmp_path / "b.wav"), f"model={package}")
    assert done.returncode == 0, done.stderr
    line = f"{tmp_path}/a.wav -> {tmp_path}/b.wav (restored left above 7.4 kHz; right silent; "
    assert line + "peak 0.0 dBFS, clipped at 0:01.0 (1 place))" in done.stderr.splitlines(), done.stderr
    told = program("infer.py", str(tmp_path / "a.wav"), f"{tmp_path}/", f"model={package}", "cutoff_hz=4000")
    assert "a.flac (restored above 4.0 kHz)" in told.stderr, told.stderr
