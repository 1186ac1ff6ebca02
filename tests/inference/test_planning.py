"""Which recordings a command's words stand for, and where each result goes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saga_sr.core.errors import AudioError, ConfigError
from saga_sr.files.finding import look_into
from saga_sr.inference.inputs import find_inputs
from saga_sr.inference.jobs import plan_files
from saga_sr.inference.naming import result_places

# Names that users have: of any bytes but those that no name can hold, stems that differ in case or accents, or not.
SIGNS = st.one_of(
    st.sampled_from(["x", "X", "x.mp3", "é", "e\u0301", "[a]", "{stem}", "#", "@", " ", "\\", "a\nb", "x.wav-1"]),
    st.binary(min_size=1, max_size=6)
    .filter(lambda name: not {0, 47} & {*name} and name[:1] not in (b".", b"\n"))
    .map(os.fsdecode),
)
NAMES = st.tuples(SIGNS, st.sampled_from([".wav", ".mp3", ".WAV", ".flac", ".txt", ""])).map("".join)
TREES = st.sets(st.tuples(st.sampled_from(["", "a", "a/b", "A"]), NAMES), max_size=12)


def make(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def targets(root: Path, words: Sequence[str], output: str = "out", **asked: str) -> dict[str, str]:
    """What a plan makes of what, relative to `root` and to the output."""
    plan = plan_files([root / word if word[:1] != "@" else f"@{root / word[1:]}" for word in words], root / output,
                      "flac", **asked)  # fmt: skip
    return {str(job.source.relative_to(root)): str(job.target.relative_to(root / output)) for job in plan.jobs}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=TREES, inside=st.booleans())
def test_each_recording_of_a_folder_has_a_result_of_its_own(tree: set[tuple[str, str]], inside: bool) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "in"
        root.mkdir()
        for folder, file in tree:
            if not (root / folder / file).is_dir():
                make(root, f"{folder}/{file}")
        output = root / "results" if inside else Path(name) / "out"
        wanted = {path for path in root.rglob("*") if path.suffix.lower() in (".wav", ".mp3", ".flac")}
        wanted = {path for path in wanted if path.is_file()}
        if not wanted:
            with pytest.raises(AudioError):
                plan_files([root], output, "flac")
            return
        plan = plan_files([root], output, "flac")
        assert {job.source for job in plan.jobs} == wanted and not plan.failures
        made = [job.target for job in plan.jobs]
        assert len({str(path).casefold() for path in made}) == len(made)
        for job in plan.jobs:
            assert job.target.parent == output / job.source.parent.relative_to(root)
            assert job.target.name.startswith(job.source.stem) and job.target.suffix == ".flac"
            make(output, str(job.target.relative_to(output)))
        # With results in place, the plan is the same: they are not taken for recordings.
        assert plan_files([root], output, "flac").jobs == plan.jobs


@given(order=st.permutations(["x.wav", "x.mp3", "x.mp3.wav", "X.flac", "y.wav", "é.wav", "e\u0301.wav"]))
def test_names_depend_on_the_recordings_and_not_on_their_order(order: list[str]) -> None:
    places = result_places([Path("a") / name for name in order], "flac")
    named = {name: place.name for name, place in zip(order, places, strict=True)}
    assert {name: named[name] for name in ("x.wav", "x.mp3", "x.mp3.wav", "X.flac", "y.wav")} == {
        "x.wav": "x.wav.flac", "x.mp3": "x.mp3.flac", "x.mp3.wav": "x.mp3.wav.flac", "X.flac": "X.flac.flac",
        "y.wav": "y.flac",
    }  # fmt: skip
    accents = sorted(named[name] for name in ("é.wav", "e\u0301.wav"))
    assert [name.partition("-")[0] for name in accents] == ["e\u0301.wav", "é.wav"] and len({*accents}) == 2


def test_a_template_names_results(tmp_path: Path) -> None:
    make(tmp_path / "in", "x.wav", "x.mp3", "y.wav")
    assert targets(tmp_path, ["in"], template="{stem} ({suffix}) restored.{ext}") == {
        "in/x.wav": "x (wav) restored.flac", "in/x.mp3": "x (mp3) restored.flac", "in/y.wav": "y (wav) restored.flac",
    }  # fmt: skip
    for template in (
        "{stem}",
        "{stem}.wav",
        "{name}.{ext}",
        "a.{ext}",
        "{stem/{ext}",
        "{stem}/x.{ext}",
        "{stem!r}.{ext}",
    ):
        with pytest.raises(ConfigError, match="name="):
            targets(tmp_path, ["in"], template=template)


def test_folders_files_patterns_and_lists_in_one_command(tmp_path: Path) -> None:
    make(tmp_path, "music/a/1.mp3", "music/b/1.mp3", "music/b/cover.jpg", "tapes/t.wav", "tapes/.hidden.wav", "z.wav",
         "deep/er/[1].wav", "raw.dat", "deep/#x.wav")  # fmt: skip
    raw = os.fsdecode(b"not \xff text.wav")
    make(tmp_path, raw)
    lines = ["# a comment", "", "z.wav\r", "deep/er/[1].wav", "deep/#x.wav", "music/*/1.mp3", raw, f"{tmp_path}/tapes"]
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbf" + os.fsencode("\n".join(lines)))
    assert targets(tmp_path, ["@list.txt"]) == {
        "z.wav": "z.flac", "deep/er/[1].wav": "deep/er/[1].flac", "music/a/1.mp3": "music/a/1.flac",
        "deep/#x.wav": "deep/#x.flac", "music/b/1.mp3": "music/b/1.flac", raw: raw[:-3] + "flac",
        "tapes/t.wav": "t.flac",
    }  # fmt: skip
    assert targets(tmp_path, ["music/**/*.mp3", "tapes", "raw.dat", "tapes/t.wav"]) == {
        "music/a/1.mp3": "a/1.flac", "music/b/1.mp3": "b/1.flac", "tapes/t.wav": "t.flac", "raw.dat": "raw.flac",
    }  # fmt: skip
    assert targets(tmp_path, ["music/*"]) == {"music/a/1.mp3": "a/1.flac", "music/b/1.mp3": "b/1.flac"}
    assert targets(tmp_path, ["*.dat"]) == {"raw.dat": "raw.flac"}


def test_what_is_not_there_is_named_and_the_rest_is_planned(tmp_path: Path) -> None:
    make(tmp_path, "z.wav", "empty/notes.txt")
    (tmp_path / "list.txt").write_text("gone.wav\nz.wav\n*.ogg\n")
    plan = plan_files([f"@{tmp_path}/list.txt", f"{tmp_path}/*.mp3", tmp_path / "empty"], tmp_path / "out", "flac")
    assert [job.source.name for job in plan.jobs] == ["z.wav"]
    assert [failure.partition(";")[0] for failure in plan.failures] == [
        f"There is no file or folder {tmp_path}/gone.wav", f"Nothing matches *.ogg in {tmp_path}",
        f"There is no file or folder {tmp_path}/*.mp3",
    ]  # fmt: skip
    assert plan.remarks == ("Passed over 1 files that are no recordings by their suffixes: 1 .txt.",)
    with pytest.raises(AudioError, match="There are no recordings in"):
        plan_files([tmp_path / "empty"], tmp_path / "out", "flac")


def test_what_a_folder_holds_besides_is_counted_by_kind(tmp_path: Path) -> None:
    make(tmp_path, "a.wav", "b.TXT", "c/d.txt", "c/e", ".hidden.txt")
    (tmp_path / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.wav")
    remark = find_inputs([tmp_path]).remark
    assert remark is not None and remark.startswith("Passed over 5 files") and "2 .txt" in remark
    assert "1 without a suffix" in remark and "1 links to folders" in remark and "1 .wav" in remark


def test_results_of_earlier_runs_are_not_restored_again(tmp_path: Path) -> None:
    make(tmp_path, "x.wav", "x.flac", "sub/y.wav", "sub/y.flac")
    made = [Path("x.flac"), Path("sub/y.flac")]
    plan = plan_files([tmp_path, tmp_path / "x.flac"], tmp_path, "flac", results=made)
    assert {job.source.name: job.target.name for job in plan.jobs} == {"x.wav": "x.flac", "y.wav": "y.flac"}
    assert plan.remarks == ("2 of the files are results of earlier runs, and left as they are.",)


@pytest.mark.parametrize("link", [False, True])
def test_a_recording_is_never_overwritten(tmp_path: Path, link: bool) -> None:
    make(tmp_path, "x.flac")
    output = tmp_path
    if link:
        output = tmp_path.with_name(f"{tmp_path.name} link")
        output.symlink_to(tmp_path)
    with pytest.raises(ConfigError, match="overwritten by its own result"):
        plan_files([tmp_path], output, "flac")
    with pytest.raises(ConfigError, match="overwritten by its own result"):
        plan_files([tmp_path / "x.flac"], output / "x.flac", "flac")
    assert plan_files([tmp_path], output, "flac", "{stem} 2.{ext}").jobs[0].target == output / "x 2.flac"


def test_two_recordings_of_one_place_are_refused_before_anything_is_done(tmp_path: Path) -> None:
    make(tmp_path, "a/x.wav", "b/x.wav")
    with pytest.raises(ConfigError, match=r"Several recordings would become x\.flac"):
        targets(tmp_path, ["a", "b"])


def test_one_file_takes_one_recording(tmp_path: Path) -> None:
    make(tmp_path, "a/x.wav", "a/y.wav")
    assert targets(tmp_path, ["a/x*"], "o.wav") == {"a/x.wav": "."}
    for words, said in (
        (["a"], "is a folder"),
        (["a/*"], "is 2 files"),
        (["a/x.wav", "a/y.wav"], "2 inputs are given"),
    ):
        with pytest.raises(ConfigError, match=said):
            targets(tmp_path, words, "o.wav")


def test_a_folder_inside_the_results_is_searched(tmp_path: Path) -> None:
    make(tmp_path, "tapes/x.wav")
    assert targets(tmp_path, ["tapes"], ".") == {"tapes/x.wav": "x.flac"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look into everything")
def test_a_folder_that_may_not_be_looked_into_is_named(tmp_path: Path) -> None:
    make(tmp_path, "a.wav", "closed/b.wav")
    (tmp_path / "closed").chmod(0)
    try:
        plan = plan_files([tmp_path], tmp_path / "out", "flac")
    finally:
        (tmp_path / "closed").chmod(0o700)
    assert [job.source.name for job in plan.jobs] == ["a.wav"]
    assert plan.failures == (f"{tmp_path}/closed cannot be looked into (Permission denied).",)


def test_a_folder_that_goes_away_while_it_is_searched_is_named(tmp_path: Path) -> None:
    found = look_into(tmp_path / "gone")
    assert found.unreadable == [(tmp_path / "gone", "No such file or directory")] and not found.files
