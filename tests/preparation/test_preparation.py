from __future__ import annotations

import io
import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import yaml
from diffusers import AutoencoderOobleck
from litdata import StreamingDataset
from prepared import LENGTH, RATE, SETTINGS, prepared
from recordings import sound, write_recordings
from safetensors.torch import load_file
from transformers import DacConfig, DacModel

from saga_sr.audio.degradation import LowPassDegradation, degrade
from saga_sr.audio.reference_frame import reference_gain
from saga_sr.audio.spectrum import bandwidth_hz, rolloff_hz
from saga_sr.codecs.mdct import MDCT
from saga_sr.codecs.statistics import ChannelSums
from saga_sr.core.atomic_file import LOCK, folder_aside
from saga_sr.core.errors import ConfigError, DataError
from saga_sr.core.random_numbers import seeded
from saga_sr.data.captions import Captions
from saga_sr.data.recordings import find_recordings
from saga_sr.files.reading import AudioInfo
from saga_sr.preparation.part import done_file, prepare_part
from saga_sr.preparation.plan import check_same, cut, make_plan, read_clips
from saga_sr.preparation.run import nothing_left_behind


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recordings(tmp_path_factory.mktemp("recordings"), 8, 1.3)


@pytest.fixture(scope="module")
def output(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(folder, tmp_path_factory.mktemp("prepared"))


@pytest.mark.parametrize(("frames", "starts"), [
    (100, [0]), (LENGTH, [0]), (LENGTH + 1000, [0]), (LENGTH + 5000, [0, 5000]), (2 * LENGTH, [0, LENGTH]),
])  # fmt: skip
def test_clips_cover_a_file_and_a_rest_begins_earlier(frames: int, starts: list[int]) -> None:
    clips = list(cut([AudioInfo(Path("a.wav"), RATE, 1, frames)], SETTINGS, Captions(), 7))
    assert [clip.start for clip in clips] == starts
    assert [clip.number for clip in clips] == list(range(7, 7 + len(starts)))
    assert all(clip.frames == min(frames, LENGTH) for clip in clips)


def test_stored_latents_are_those_of_the_clip_and_of_its_low_passed_versions(tmp_path: Path) -> None:
    """Computed anew, one file and one version at a time."""
    folder = tmp_path / "audio"
    folder.mkdir()
    for i in range(4):
        soundfile.write(folder / f"{i}.wav", sound(i, 2 * LENGTH, 1, RATE), RATE, subtype="FLOAT")
    made = prepared(folder, tmp_path / "out")
    codec, low_pass = MDCT(RATE, 64, 0.5), LowPassDegradation(RATE)
    stream = StreamingDataset(str(made / "train"), batch_decode=0)
    clips = [clip for part in sorted(made.glob("job/parts/train-*")) for clip in read_clips(made, part.stem)]
    assert len(stream) == len(clips) == 6
    for i, clip in enumerate(clips):
        audio, _ = soundfile.read(clip.path, dtype="float32", start=clip.start, frames=clip.frames)
        hr = torch.from_numpy(audio)[None, None]
        filters = low_pass.draw(bandwidth_hz(hr, RATE).tolist() * 2, seeded([5 * 2**32 + 2 * i, 5 * 2**32 + 2 * i + 1]))
        assert filters[0] != filters[1]
        versions = [hr, *(degrade(hr, [one], RATE) for one in filters)]
        item, gain = stream[i], reference_gain(versions[1], RATE)
        assert torch.allclose(item["latents"], torch.cat([codec.analyse(gain * x) for x in versions]), atol=4e-3)
        for k, spectrum in enumerate(("magnitude", "power")):
            expected = torch.cat([rolloff_hz(x, RATE, spectrum=spectrum) for x in versions]) / (RATE / 2)
            assert torch.allclose(item["measured"]["rolloff"][:, k].double(), expected.double(), atol=2e-3)
        assert item["cutoff_hz"].tolist() == pytest.approx([RATE / 2, *(one.cutoff_hz for one in filters)])
        assert item["name"] == clip.name and item["sounding"] == LENGTH


def test_where_the_content_of_recordings_ends_is_stored(folder: Path, tmp_path: Path) -> None:
    names = sorted(folder.rglob("song*"))
    rows = [f"{name},{9000 if i else ''},{'' if i else 'CC-BY-4.0'}" for i, name in enumerate(names)]
    (tmp_path / "t.csv").write_text("\n".join(["path,edge_hz,license", *rows]))
    made = prepared(tmp_path / "t.csv", tmp_path / "out")
    assert "recordings_by_licence:\n  CC-BY-4.0: 1\n  not told: 7\n" in (made / "README.md").read_text()
    items = list(StreamingDataset(str(made / "train"), batch_decode=0))
    held_out = list(StreamingDataset(str(made / "validation"), batch_decode=0))
    ends = [(item["name"], float(item["cutoff_hz"][0])) for item in items]
    ends += [(item["name"], item["edge_hz"]) for item in held_out]
    assert len(items) > 1 and held_out
    for name, hz in ends:
        assert hz == (RATE / 2 if name.startswith(f"{names[0].stem}@") else 9000)


def test_files_are_split_and_nothing_is_on_both_sides(folder: Path, output: Path) -> None:
    names = {
        side: {str(item["name"]).partition("@")[0] for item in map(stream.__getitem__, range(len(stream)))}
        for side, stream in ((s, StreamingDataset(str(output / s), batch_decode=0)) for s in ("train", "validation"))
    }
    assert len(names["train"]) == 6 and len(names["validation"]) == 2
    assert not names["train"] & names["validation"]


def test_captions_are_stored_and_held_out_clips_are_the_audio_itself(folder: Path, output: Path) -> None:
    stream = StreamingDataset(str(output / "validation"), batch_decode=0)
    for item in map(stream.__getitem__, range(len(stream))):
        name, _, second = str(item["name"]).partition("@")
        (path,) = folder.rglob(f"{name}.*")
        assert json.loads(item["captions"]) == [[0, f"song {name.removeprefix('song')}"]]
        heard, rate = soundfile.read(io.BytesIO(item["audio"]))
        assert rate == RATE and heard.shape == (LENGTH,)
        own = soundfile.info(path)
        if own.samplerate == RATE and path.suffix != ".mp3":
            given, _ = soundfile.read(path, start=round(float(second[:-1]) * RATE), always_2d=True)
            assert np.corrcoef(heard, given[:LENGTH].mean(axis=1))[0, 1] > 0.9


def test_statistics_are_those_of_all_latents_at_once(output: Path) -> None:
    stream = StreamingDataset(str(output / "train"), batch_decode=0)
    raw = torch.cat([stream[i]["latents"][0] for i in range(len(stream))], dim=1).double()
    found = load_file(output / "statistics.safetensors")
    assert torch.allclose(found["mean"], raw.mean(dim=1), rtol=1e-9, atol=1e-12)
    assert torch.allclose(found["deviation"], raw.std(dim=1, correction=0), rtol=1e-9)


def test_sums_stay_exact_where_the_mean_is_large_and_merge_in_any_way() -> None:
    raw = 1e6 + torch.randn(1, 3, 4000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    pieces = [ChannelSums.of(piece) for piece in raw.split([1, 999, 3000], dim=2)]
    whole = raw[0].std(dim=1, correction=0)
    for merged in ((pieces[0] + pieces[1]) + pieces[2], pieces[2] + (pieces[0] + pieces[1]), ChannelSums.of(raw)):
        assert torch.allclose(merged.mean_and_deviation()[1], whole, rtol=1e-8)
    assert torch.equal((ChannelSums.none(3) + pieces[0]).mean, pieces[0].mean)


def test_the_card_counts_and_names_what_was_skipped(folder: Path, output: Path) -> None:
    card = (output / "README.md").read_text()
    assert "| train | 6 |" in card and "| validation | 2 |" in card
    header = yaml.safe_load(card.split("---")[1])
    assert header["recordings_by_rate"] == {"22050": 2, "44100": 3, "48000": 3} and header["codec"].endswith("MDCT")
    assert header["recordings_by_licence"] == {"not told": 8} and header["seed"] == 5
    sums = subprocess.run(
        "sha256sum *.bin | sha256sum", cwd=output / "train", shell=True, capture_output=True, text=True
    )
    assert sums.stdout.split()[0] == header["sha256"]["train"]
    assert f"saga-sr prepare 'data.path={folder}' output=OUTPUT num_samples={LENGTH}" in card
    assert "Files that could not be used, or not whole (1)" in card and "bad.wav" in card


def test_silence_is_left_out_and_a_damaged_file_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "audio"
    folder.mkdir()
    for i in range(6):
        soundfile.write(folder / f"{i}.flac", sound(i, 3 * LENGTH, 1, RATE), RATE)
    soundfile.write(folder / "silent.wav", np.zeros(2 * LENGTH), RATE)
    damaged = folder / "0.flac"
    data = bytearray(damaged.read_bytes())
    # A place in the middle clip.
    data[len(data) * 45 // 100 : len(data) * 55 // 100] = bytes(len(data) * 55 // 100 - len(data) * 45 // 100)
    damaged.write_bytes(data)
    made = prepared(folder, tmp_path / "out", replace(SETTINGS, validation_fraction=0.15))
    card = (made / "README.md").read_text()
    assert "2 silent clips" in card and "0.flac is damaged" in card
    summary = json.loads((made / "prepared.json").read_text())
    assert summary["clips"]["unreadable"] in (1, 2) and summary["files"]["damaged"] == 1
    assert sum(summary["clips"].values()) == 6 * 3 + 2
    # The rest of it is used, and silence is no file of the data.
    assert summary["files"]["train"] + summary["files"]["validation"] == 6


@pytest.mark.parametrize("kind", ["dac", "oobleck"])
def test_other_codecs(kind: str, folder: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    path, config = tmp_path / "codec", dict[str, Any](path=str(tmp_path / "codec"), sample_rate=RATE)
    if kind == "dac":
        DacModel(DacConfig(
            encoder_hidden_size=8, downsampling_ratios=[8, 8], decoder_hidden_size=16, n_codebooks=2, codebook_size=8,
            codebook_dim=4, sampling_rate=RATE,
        )).save_pretrained(path)  # fmt: skip
        config |= {"_target_": "saga_sr.codecs.dac.DAC", "latent_dim": 32}
    else:
        AutoencoderOobleck(
            encoder_hidden_size=8, downsampling_ratios=[8, 8], channel_multiples=[1, 2], decoder_channels=8,
            decoder_input_channels=4, audio_channels=2, sampling_rate=RATE,
        ).save_pretrained(path)  # fmt: skip
        config |= {"_target_": "saga_sr.codecs.oobleck.Oobleck", "latent_dim": 4, "channels": 2}
    made = prepared(folder, tmp_path / "out", replace(SETTINGS, codec=config, dtype="float16"))
    item = StreamingDataset(str(made / "train"), batch_decode=0)[0]
    assert item["latents"].shape == (3, config["latent_dim"], LENGTH // 64) and item["latents"].dtype == torch.float16
    held_out = StreamingDataset(str(made / "validation"), batch_decode=0)[0]
    assert soundfile.info(io.BytesIO(held_out["audio"])).channels == config.get("channels", 1)


def test_a_manifest_names_the_files(folder: Path, tmp_path: Path) -> None:
    chosen = sorted(folder.rglob("song*"))[:3]
    (tmp_path / "gone.txt").write_text(f"{chosen[0]}\n{chosen[1]}\n/no/such.wav\n")
    plan = make_plan(find_recordings(tmp_path / "gone.txt"), None, None, SETTINGS, tmp_path / "out", 3)
    assert "no/such.wav" in next(iter(plan.skipped)) and len(plan.files) == 3


def test_several_folders_and_named_validation(folder: Path, tmp_path: Path) -> None:
    recordings, held_out = find_recordings([folder / "set0", folder / "set1"]), find_recordings(folder / "set1")
    plan = make_plan(recordings, held_out, None, SETTINGS, tmp_path, 3)
    sides = {
        side: {
            Path(clip.path).parent.name
            for part in plan.parts
            if part.startswith(side)
            for clip in read_clips(tmp_path, part)
        }
        for side in ("train", "validation")
    }
    assert sides == {"train": {"set0"}, "validation": {"set1"}}
    check_same(plan, SETTINGS, recordings, held_out, tmp_path)
    with pytest.raises(DataError, match="4 files have come, gone or changed"):
        check_same(plan, SETTINGS, recordings, None, tmp_path)
    for weighted in ({str(folder): 2}, write_table(tmp_path / "table.csv", folder)):
        with pytest.raises(ConfigError, match="has weights, but each clip is prepared once"):
            make_plan(find_recordings(weighted), None, None, SETTINGS, tmp_path / "new", 3)
    assert not (tmp_path / "new").exists()


def write_table(path: Path, folder: Path) -> Path:
    rows = [f"{file},{i}" for i, file in enumerate(sorted(folder.rglob("song*")), 1)]
    path.write_text("\n".join(["path,weight", *rows]))
    return path


def test_a_full_disk_stops_with_a_sentence_and_what_is_done_stays(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(find_recordings(folder), None, None, SETTINGS, tmp_path, 3)
    prepare_part(plan.parts[0], output=tmp_path, settings=SETTINGS, device="cpu")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("saga_sr.preparation.part.BinaryWriter.add_item", full)
    with pytest.raises(DataError, match="is full; what was finished is kept"):
        prepare_part(plan.parts[1], output=tmp_path, settings=SETTINGS, device="cpu")
    assert done_file(tmp_path, plan.parts[0]).exists() and not done_file(tmp_path, plan.parts[1]).exists()
    assert [path.name for path in (tmp_path / "train").iterdir()] == [f"{plan.parts[0]}.bin"]


def test_latents_beyond_the_stored_type_are_refused(folder: Path, tmp_path: Path) -> None:
    loud = replace(SETTINGS, codec=SETTINGS.codec | {"exponent": -4.0}, dtype="float16")
    plan = make_plan(find_recordings(folder), None, None, loud, tmp_path, 3)
    with pytest.raises(DataError, match="dtype=float32"):
        for part in plan.parts:
            prepare_part(part, output=tmp_path, settings=loud, device="cpu")


def test_settings_that_are_none() -> None:
    with pytest.raises(ConfigError, match="dtype='int8'"):
        replace(SETTINGS, dtype="int8")
    with pytest.raises(ConfigError, match="degradations=0 must be above 0"):
        replace(SETTINGS, degradations=0)


def test_what_killed_workers_left_of_parts_is_removed_before_and_after_but_nothing_that_another_writes(
    tmp_path: Path,
) -> None:
    def leave_behind(side: str) -> Path:
        folder = tmp_path / side / ".saga-sr-dead.part"
        folder.mkdir(parents=True)
        (folder / LOCK).touch()  # the system has taken the lock of a process that was killed
        return folder

    before = leave_behind("train")
    with folder_aside(tmp_path / "train") as written:
        with nothing_left_behind(tmp_path):
            assert not before.exists()
            meanwhile = [leave_behind("train"), leave_behind("validation")]
        assert written.exists() and not any(folder.exists() for folder in meanwhile)
