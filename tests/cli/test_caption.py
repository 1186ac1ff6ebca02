"""Captions by a tiny Qwen2-Audio with random weights, made on the spot."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from programs import Running, changed, program
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2AudioConfig,
    Qwen2AudioForConditionalGeneration,
    Qwen2AudioProcessor,
    WhisperFeatureExtractor,
)

from saga_sr.captioning.captioner import RATE, Captioner, CaptionFile, Stretch, batches, cut
from saga_sr.captioning.run import place, plan
from saga_sr.core.errors import ConfigError, DataError, WeightsError
from saga_sr.data.captions import read_captions
from saga_sr.data.recordings import find_recordings
from saga_sr.files.reading import inspect_audio
from saga_sr.files.writing import write_audio

END, AUDIO = "<|endoftext|>", "<|AUDIO|>"
SPECIAL = [END, "<|audio_bos|>", AUDIO, "<|audio_eos|>"]
WORDS = ["Generate", "the", "caption", "in", "English", ":", *(f"w{i}" for i in range(90))]
CPU = torch.device("cpu")
CAPTION = ["-m", "saga_sr", "caption", "device=cpu"]


def processor() -> Qwen2AudioProcessor:
    vocabulary = {word: i for i, word in enumerate([*SPECIAL, *WORDS])}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token=END))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.add_special_tokens(SPECIAL)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, eos_token=END, pad_token=END, additional_special_tokens=SPECIAL[1:]
    )
    return Qwen2AudioProcessor(WhisperFeatureExtractor(feature_size=128), tokenizer)


@pytest.fixture(scope="session")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its weights are large, so that what it says depends on what it hears."""
    torch.manual_seed(0)
    text: dict[str, Any] = dict(
        model_type="qwen2", vocab_size=len(SPECIAL) + len(WORDS), hidden_size=16, intermediate_size=32,
        num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1, initializer_range=0.5,
        eos_token_id=0, pad_token_id=0, bos_token_id=0,
    )  # fmt: skip
    audio: dict[str, Any] = dict(
        model_type="qwen2_audio_encoder", d_model=16, encoder_layers=1, encoder_attention_heads=2,
        encoder_ffn_dim=16, initializer_range=0.3,
    )  # fmt: skip
    model = Qwen2AudioForConditionalGeneration(
        Qwen2AudioConfig(audio_config=audio, text_config=text, audio_token_index=SPECIAL.index(AUDIO))
    )
    model.generation_config.eos_token_id = 0
    # As of a folder that is meant for chats; captions are greedy all the same.
    model.generation_config.do_sample = True
    model.generation_config.repetition_penalty = 1.2
    folder = tmp_path_factory.mktemp("qwen") / "tiny"
    model.save_pretrained(folder)
    processor().save_pretrained(folder)
    return folder


def tone(path: Path, seconds: float, pitch_hz: float, rate: int = 22_050, channels: int = 1) -> Path:
    noise = 0.02 * torch.randn(int(seconds * rate), generator=torch.Generator().manual_seed(int(pitch_hz)))
    audio = 0.3 * torch.sin(2 * torch.pi * pitch_hz * torch.arange(int(seconds * rate)) / rate) + noise
    write_audio(path, audio.expand(channels, -1), rate)
    return path


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five recordings: a short one, a long one, a silent one, a stereo one deeper down, and one of 8 kHz."""
    folder = tmp_path_factory.mktemp("music")
    tone(folder / "a short.wav", 0.3, 200)
    tone(folder / "b long.flac", 33.5, 500)
    tone(folder / "deep/c stereo.ogg", 3, 900, 44_100, channels=2)
    tone(folder / "d.wav", 7, 1500, 8_000)
    write_audio(folder / "e silent.wav", torch.zeros(1, 20_000), 16_000)
    return folder


def caption(music: Path, qwen: Path, *extra: str) -> subprocess.CompletedProcess[str]:
    return program(*changed([*CAPTION, f"data.path='{music}'", f"model={qwen}"], *extra))


def said(path: Path) -> list[tuple[Any, ...]]:
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    return sorted((e["path"], e["start_s"], e["end_s"], e["caption"]) for e in entries)


@pytest.fixture(scope="module")
def whole(music: Path, qwen: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run that nothing disturbed writes."""
    output = tmp_path_factory.mktemp("whole") / "captions.jsonl"
    command = [*CAPTION, f"data.path='{music}'", f"model={qwen}", f"output={output}"]
    done = program(*command, "stretch_s=2", "batch_size=3", fresh=True)
    assert done.returncode == 0, done.stderr
    return output


@pytest.fixture
def captioner(qwen: Path, monkeypatch: pytest.MonkeyPatch) -> Captioner:
    monkeypatch.setattr("saga_sr.captioning.captioner.has_fast_bfloat16", lambda device: False)
    return Captioner(qwen, CPU)


def test_a_caption_does_not_depend_on_the_others_of_its_batch(
    captioner: Captioner, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saga_sr.captioning.captioner.MOST_TOKENS", 40)
    names = ("a short.wav", "d.wav", "e silent.wav", "deep/c stereo.ogg", "b long.flac")
    audios = [cut(inspect_audio(music / name), 30)[0].read() for name in names]
    assert [len(audio) / RATE for audio in audios] == [1, 7, 1.25, 3, 30]
    alone = [captioner([audio])[0] for audio in audios]
    assert captioner(audios) == alone and captioner(audios[:3]) == alone[:3]
    assert alone[2] == "" and len(set(alone)) == 5
    for text in alone[:2]:
        assert set(text.split()) <= set(WORDS) and text == text.strip() and text


def test_what_is_asked_and_what_is_read_of_the_answer(
    captioner: Captioner, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}
    answer = torch.tensor([[SPECIAL.index("<|audio_eos|>"), 4 + WORDS.index("w7"), 4 + WORDS.index("w8"), 0, 0]])

    def generate(**settings: Any) -> torch.Tensor:
        asked.update(settings)
        return torch.cat([settings["input_ids"], answer.expand(2, -1)], dim=1)

    monkeypatch.setattr(captioner.model, "generate", generate)
    audios = [cut(inspect_audio(music / name), 30)[0].read() for name in ("a short.wav", "d.wav")]
    assert captioner(audios) == ["w7 w8"] * 2
    assert asked["max_new_tokens"] == 256 and asked["do_sample"] is False and asked["repetition_penalty"] == 1
    texts = captioner.processor.batch_decode(asked["input_ids"])
    prompt = "<|audio_bos|>*<|audio_eos|>Generate the caption in English:".replace(" ", "")
    for text, tokens in zip(texts, (25, 175), strict=True):
        text = text.replace(" ", "")
        assert text.count(AUDIO) == tokens and text.replace(END, "").replace(AUDIO * tokens, "*") == prompt
    # Padded on the left, where generation does not go on.
    assert asked["attention_mask"][0].tolist() == [0] * 150 + [1] * (asked["attention_mask"].shape[1] - 150)


def test_long_recordings_are_cut_and_short_remainders_left_out(tmp_path: Path) -> None:
    def spans(seconds: float, stretch_s: float = 30) -> list[tuple[float, float]]:
        info = inspect_audio(tone(tmp_path / "a.wav", seconds, 100, 8_000))
        return [(stretch.start_s, stretch.end_s) for stretch in cut(info, stretch_s)]

    assert spans(0.25) == [(0, 0.25)] and spans(30) == [(0, 30)]
    assert spans(30.9) == [(0, 30)] and spans(31) == [(0, 30), (30, 31)]
    assert spans(65) == [(0, 30), (30, 60), (60, 65)] and spans(5.5, 2.5) == [(0, 2.5), (2.5, 5)]
    info = inspect_audio(tmp_path / "a.wav")
    later = Stretch(info, 2.5, 5.0).read()
    whole = Stretch(info, 0.0, 5.5).read()
    assert torch.allclose(later[500:-500], whole[40_500:79_500], atol=1e-4) and len(later) == 40_000


def test_a_file_of_captions_is_gone_on_with(music: Path, tmp_path: Path) -> None:
    path = tmp_path / "new/captions.jsonl"
    long, other = cut(inspect_audio(music / "b long.flac"), 10), cut(inspect_audio(music / "d.wav"), 10)
    CaptionFile(path, music).add([(long[0], "one"), (long[1], "two\nlines")])
    written = path.read_bytes()
    path.write_bytes(written + b'{"path": "b long.flac", "start_s": 20.0, "end_')
    file = CaptionFile(path, music)
    assert path.read_bytes() == written and [p.name for p in path.parent.iterdir()] == ["captions.jsonl"]
    assert [file.holds(stretch) for stretch in long] == [True, True, False, False]
    assert [len(batch) for batch in batches([*long, *other], 2, file)] == [2, 1]
    # A user's own, of the whole file and without a newline.
    path.write_bytes(written + b'{"path": "d.wav", "caption": "mine"}')
    file = CaptionFile(path, music)
    assert file.holds(other[0])
    file.add([(long[2], "three")])
    found = read_captions([music], [music / "b long.flac", music / "d.wav"], path)
    assert [found.at(music / "b long.flac", t) for t in (5, 15, 25, 35)] == ["one", "two lines", "three", ""]
    assert found.at(music / "d.wav", 1) == "mine"


def test_several_folders_are_captioned_into_a_file_of_their_own(music: Path, tmp_path: Path) -> None:
    other = tone(tmp_path / "other/f.wav", 1, 300)
    recordings = find_recordings([music, other])
    with pytest.raises(ConfigError, match=r"no single folder .* give output=FILE"):
        place(recordings, None)
    assert place(find_recordings(music), None) == (music / "captions.jsonl", music)
    file = CaptionFile(*place(recordings, str(tmp_path / "all.jsonl")))
    stretches = [stretch for stretch in plan(recordings, 30)[0] if stretch.info.path.name in ("d.wav", "f.wav")]
    file.add([(stretch, stretch.info.path.stem) for stretch in stretches])
    assert [path for path, *_ in said(tmp_path / "all.jsonl")] == [str(other), "d.wav"]
    found = recordings.captions(recordings.files, tmp_path / "all.jsonl")
    assert found.at(music / "d.wav", 0.5) == "d" and found.at(other, 0.5) == "f"


def test_a_file_that_is_none_of_captions_is_not_touched(music: Path, tmp_path: Path) -> None:
    for content in (b"RIFF....WAVE", b'{"path": "a"\n{"path": "b", "caption": ""}\n'):
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(DataError, match="x, line 1"):
            CaptionFile(tmp_path / "x", music)
        assert (tmp_path / "x").read_bytes() == content
    with pytest.raises(DataError, match="cannot be written"):
        CaptionFile(tmp_path, music).add([])


def test_a_model_that_cannot_be_read_is_answered_in_one_sentence(qwen: Path, tmp_path: Path) -> None:
    def answer(prepare: Any, *parts: str) -> None:
        folder = tmp_path / "model"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(qwen, folder)
        prepare(folder)
        with pytest.raises(WeightsError) as caught:
            Captioner(folder, CPU)
        message = str(caught.value)
        assert all(part in message for part in (*parts, str(folder))) and "\n" not in message, message

    def remove(*patterns: str) -> Any:
        return lambda folder: [path.unlink() for pattern in patterns for path in folder.glob(pattern)]

    def truncate(folder: Path) -> None:
        weights = folder / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:9_999])

    def lacking(folder: Path) -> None:
        weights = load_file(folder / "model.safetensors")
        del weights[max(weights)]
        save_file(weights, folder / "model.safetensors", {"format": "pt"})

    answer(shutil.rmtree, "no model folder")
    answer(remove("config.json"), "config.json")
    answer(lambda folder: (folder / "config.json").write_text('{"model_type": "llama"}'), "'llama'", "Qwen2-Audio")
    answer(remove("processor_config.json"), "processor", "feature extractor")
    answer(remove("tokenizer*"), "processor", AUDIO)
    answer(lambda folder: (folder / "tokenizer.json").write_text("{"), "processor")
    answer(remove("model.safetensors"), "weights", "missing")
    answer(truncate, "weights", "truncated")
    answer(lacking, "lack 1 tensors")


@pytest.mark.slow
def test_captions_are_written_for_every_file_and_found_by_training(music: Path, qwen: Path, tmp_path: Path) -> None:
    folder = tmp_path / "my music"
    shutil.copytree(music, folder)
    (folder / "bad.wav").write_text("no audio")
    done = caption(folder, qwen)
    assert done.returncode == 0, done.stderr
    assert "Skipped: " in done.stderr and "bad.wav" in done.stderr and "1 of 6 files" in done.stderr
    table = folder / "captions.jsonl"
    spans = [(path, start_s, end_s) for path, start_s, end_s, _ in said(table)]
    assert spans == [
        ("a short.wav", 0, 0.3), ("b long.flac", 0, 30), ("b long.flac", 30, 33.5), ("d.wav", 0, 7),
        ("deep/c stereo.ogg", 0, 3), ("e silent.wav", 0, 1.25),
    ]  # fmt: skip
    files = [folder / path for path, *_ in said(table)]
    found = read_captions([folder], files)
    assert [bool(found.at(path, 0.1)) for path in files] == [True] * 5 + [False]
    assert found.at(files[1], 29) != found.at(files[1], 31)
    before = table.read_bytes()
    # Nothing is to be done, and so the model is not needed.
    again = caption(folder, tmp_path / "none")
    assert again.returncode == 0 and table.read_bytes() == before, again.stderr


@pytest.mark.slow
def test_kills_lose_and_double_nothing(music: Path, qwen: Path, whole: Path, tmp_path: Path) -> None:
    command = [*CAPTION, f"data.path='{music}'", f"model={qwen}"]
    output = tmp_path / "captions.jsonl"
    count, kills = len(said(whole)), 0
    while kills < 3:
        before = output.read_bytes() if output.is_file() else b""
        run = Running(*command, f"output={output}", "stretch_s=2", "batch_size=3")
        while run.poll() is None and not (output.is_file() and output.stat().st_size > len(before)):
            time.sleep(0.005)
        time.sleep(0.02 * kills)
        run.send_signal(signal.SIGKILL)
        assert run.wait(timeout=60) == -signal.SIGKILL, "it came to its end before it was killed"
        assert output.read_bytes().startswith(before) and len(output.read_bytes().splitlines()) < count
        kills += 1
    # As if the last had come in the midst of a line, which takes a kill by luck.
    written = output.read_bytes()
    output.write_bytes(written[:-20])
    done = caption(music, qwen, f"output={output}", "stretch_s=2", "batch_size=3")
    assert done.returncode == 0 and "cut off" in done.stderr, done.stderr
    assert said(output) == said(whole)


@pytest.mark.slow
def test_bad_settings_are_answered_in_one_sentence(music: Path, qwen: Path, tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    for name in ("a.wav", "b.wav"):
        (tmp_path / f"bad/{name}").write_text("no audio")
    for folder, extra, *parts in (
        (tmp_path / "bad", "batch_size=4", "None of the 2 files", "a.wav"),
        (music, "stretch_s=31", "stretch_s=31", "30"),
        (music, f"model={tmp_path / 'nowhere'}", "nowhere"),
    ):
        done = caption(Path(str(folder)), qwen, f"output={tmp_path / 'o.jsonl'}", str(extra))
        last = done.stderr.strip().splitlines()[-1]
        assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
        assert last.startswith("error: ") and all(part in last for part in parts), last
