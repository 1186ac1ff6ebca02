"""Recordings through codecs and back, by the command `reconstruct`."""

from __future__ import annotations

import json
import math
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from transformers import DacConfig, DacModel

from saga_sr.cli.main import dispatch
from saga_sr.codecs.dac import DAC
from saga_sr.codecs.mdct import MDCT
from saga_sr.core.errors import AudioError, ConfigError, SagaError, UsageError, WeightsError
from saga_sr.evaluation import metrics, reconstruction
from saga_sr.evaluation.perceptual import Heard
from saga_sr.evaluation.reconstruction import reconstruct, ways_of
from saga_sr.files.reading import read_audio
from saga_sr.files.writing import write_audio

RATE = 44_100


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(autouse=True)
def _deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models of listeners take seconds, and have tests of their own."""
    heard = Heard({"pesq": 2.5, "stoi": None, "visqol": 4.0}, {"stoi": "too little of it is sound"})
    monkeypatch.setattr(reconstruction, "listen", lambda *_: heard)


@pytest.fixture(scope="module")
def dac_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny checkpoint of the real class."""
    torch.manual_seed(0)
    sizes = DacConfig(
        encoder_hidden_size=8, downsampling_ratios=[2, 4], decoder_hidden_size=16, n_codebooks=3, codebook_size=16,
        codebook_dim=4, sampling_rate=RATE,
    )  # fmt: skip
    DacModel(sizes).save_pretrained(folder := tmp_path_factory.mktemp("dac"))
    return folder


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)


def test_each_codec_gives_audio_figures_and_a_place_on_the_page(dac_folder: Path, tmp_path: Path) -> None:
    write_audio(tmp_path / "in" / "stereo.flac", noise(2, RATE), RATE)
    write_audio(tmp_path / "in" / "deep" / "mono.mp3", noise(1, 20_000, seed=1), 32_000)
    dispatch([
        "reconstruct", "codecs=mdct,dac,oobleck", f"codec.dac.path={dac_folder}", "codec.dac.latent_dim=32",
        "codec.mdct.latent_dim=256", str(tmp_path / "in"), f"output={tmp_path / 'out'}", "max_length=0.5",
    ])  # fmt: skip
    assert sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.*")) == [
        "deep/mono_analysis.json", "deep/mono_dac_reconstruction.wav", "deep/mono_mdct_reconstruction.wav",
        "deep/mono_original.wav", "reconstruction.html", "stereo_analysis.json", "stereo_dac_reconstruction.wav",
        "stereo_mdct_reconstruction.wav", "stereo_original.wav",
    ]  # fmt: skip
    analysis = json.loads((tmp_path / "out" / "stereo_analysis.json").read_text())
    assert (analysis["seconds"], analysis["sample_rate"], analysis["channels"]) == (0.5, RATE, 2)
    original, rate = read_audio(tmp_path / "out" / "stereo_original.wav")
    assert rate == RATE and torch.equal(original, read_audio(tmp_path / "in" / "stereo.flac", 0, RATE // 2)[0])
    for method in ("mdct", "dac"):
        found = analysis["methods"][method]
        output, rate = read_audio(tmp_path / "out" / found["audio"])
        assert rate == RATE and output.shape == original.shape
        pair = output[None], original[None]
        assert found["metrics"].pop("stoi") is None
        assert found["metrics"] == pytest.approx({
            "snr": float(metrics.snr(*pair)), "correlation": float(metrics.correlation(*pair)),
            "rmse": float(metrics.rmse(*pair)), "si_sdr": float(metrics.si_sdr(*pair)),
            "lsd": float(metrics.lsd(*pair)), "mel_l1": float(metrics.mel_l1(*pair, RATE)), "pesq": 2.5, "visqol": 4.0,
        }, rel=1e-3, abs=1e-5)  # fmt: skip
        assert found["undefined"] == {"stoi": "too little of it is sound"}
        assert list(found["lsd_by_octave_hz"]) == ["62.5", *(f"{125 * 2**i}" for i in range(8))]
        assert found["seconds"] == pytest.approx(found["encode_seconds"] + found["decode_seconds"], rel=1e-3)
        assert found["times_real_time"] == pytest.approx(0.5 / found["seconds"], rel=1e-3)
    assert analysis["methods"]["mdct"]["metrics"]["snr"] > 100  # aligned to the sample
    frames = math.ceil(RATE // 2 / 256) + 1
    assert analysis["methods"]["mdct"]["latent"] == {
        "channels": 256, "frames": frames, "items": 2, "numbers": 512 * frames,
        "numbers_per_second": pytest.approx(1024 * frames, rel=1e-4),
        "kbit_per_second": pytest.approx(16 * 1024 * frames / 1000, rel=1e-4),
        "compression_ratio": pytest.approx(2 * (RATE // 2) / (512 * frames), rel=1e-4),
    }  # fmt: skip
    mono = json.loads((tmp_path / "out" / "deep" / "mono_analysis.json").read_text())
    assert (mono["sample_rate"], mono["channels"], list(mono["methods"])) == (32_000, 1, ["mdct", "dac"])
    page = (tmp_path / "out" / "reconstruction.html").read_text(encoding="utf-8")
    for text in (page, json.dumps(analysis["skipped"])):
        assert "codec.oobleck.path=" in text and "the autoencoder's own" in text.replace("&#x27;", "'")
    tags = Tags(page).found
    assert tags.count("audio") == tags.count("img") == 2 * 3 and tags.count("script") == 0
    assert "Means over 2 recordings" in page and "mono.mp3" in page and "16 kHz ↓" in page


class TwoWays(MDCT):
    """With two inverters, one of which is loud."""

    inverters = ("plain", "loud")

    def synthesise(self, raw: torch.Tensor, length: int) -> torch.Tensor:
        return super().synthesise(raw, length) * {"plain": 1, "loud": 2}[self.inverter]


def test_each_inverter_is_a_method_and_other_rates_and_levels_come_back_as_they_were() -> None:
    ways = ways_of("two", TwoWays(32_000, 64))
    assert list(ways) == ["two_plain", "two_loud"]
    tone = 1e-3 * torch.sin(2 * math.pi * 440 / RATE * torch.arange(RATE))[None]
    for method, snr in (("two_plain", 60), ("two_loud", 0), ("two_plain", 60)):
        found = reconstruct(ways[method], tone, RATE)
        assert found.audio.shape == tone.shape
        assert (found.metrics["snr"] or 0) > snr if snr else found.metrics["snr"] == pytest.approx(0, abs=0.1)


def test_a_codec_that_refuses_a_recording_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dac_folder: Path
) -> None:
    def refuses(self: DAC, audio: torch.Tensor) -> torch.Tensor:
        if audio.shape[-1] == 12_345:
            raise AudioError("This clip is too short for the codec.")
        return audio.new_zeros(len(audio), 32, -(-audio.shape[-1] // 8))

    monkeypatch.setattr(DAC, "analyse", refuses)
    write_audio(tmp_path / "a.wav", noise(1, 12_345), RATE)
    words = [f"codec.dac.path={dac_folder}", "codec.dac.latent_dim=32", str(tmp_path / "a.wav"), f"output={tmp_path}"]
    dispatch(["reconstruct", "codecs=[mdct,dac]", *words])
    analysis = json.loads((tmp_path / "a_analysis.json").read_text())
    assert list(analysis["methods"]) == ["mdct"] and "too short" in analysis["failed"]["dac"]
    assert "Failed: " in (tmp_path / "reconstruction.html").read_text(encoding="utf-8")
    with pytest.raises(SagaError, match="too short for the codec"):
        dispatch(["reconstruct", "codecs=dac", *words])


def test_bad_input_is_answered_in_a_sentence(tmp_path: Path, dac_folder: Path) -> None:
    good, short, text = tmp_path / "good.wav", tmp_path / "short.wav", tmp_path / "text.wav"
    write_audio(good, noise(1, RATE), RATE)
    write_audio(short, noise(1, 1000), RATE)
    text.write_text("no audio")

    def refused(kind: type[SagaError], said: str, *words: str) -> None:
        with pytest.raises(kind, match=said):
            dispatch(["reconstruct", *words, f"output={tmp_path / 'out'}"])

    refused(UsageError, "no codec 'mdtc'; choose one of .*dac, .*mdct, .*oobleck", "codecs=mdct,mdtc", str(good))
    refused(UsageError, "names a codec twice", "codecs=mdct,mdct", str(good))
    refused(UsageError, "codecs is required; .* of .*dac, .*mdct, .*oobleck", str(good))
    refused(UsageError, "No recording is named", "codecs=mdct")
    refused(UsageError, "There is no file", "codecs=mdct", str(tmp_path / "none.wav"))
    refused(AudioError, "text.wav", "codecs=mdct", str(good), str(text))
    refused(AudioError, "gives 0.023 s, where codecs and metrics need 0.1 s", "codecs=mdct", str(short))
    refused(AudioError, "gives 0.050 s.*max_length", "codecs=mdct", str(good), "max_length=0.05")
    for nonsense in ("0", "-1", "nan"):
        refused(ConfigError, "max_length=.* is no length", "codecs=mdct", str(good), f"max_length={nonsense}")
    refused(UsageError, "max_length='long' is not a number", "codecs=mdct", str(good), "max_length=long")
    refused(WeightsError, r"None of these codecs can be used.*codec\.dac\.path", "codecs=dac", str(good))
    refused(UsageError, "no setting codec.mdct.hop", "codecs=mdct", "codec.mdct.hop=4", str(good))
    path = f"codec.dac.path={dac_folder}"
    refused(ConfigError, r"codec\.dac\.latent_dim=1024 differs", "codecs=mdct,dac", path, str(good))
    assert not (tmp_path / "out").exists()
