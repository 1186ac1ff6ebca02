"""AudioSR's checkpoint through the programs: converted and enhanced with, trained further, exported, listed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from audiosr_checkpoint import TINY_AUDIOSR, write_checkpoint
from conftest import QUICK, TINY
from programs import program

from saga_sr.audio.degradation import cut_above
from saga_sr.backbones.jat import JaT
from saga_sr.codecs.audiosr import AudioSR
from saga_sr.core.errors import ConfigError
from saga_sr.inference.enhancer import Enhancer
from saga_sr.inference.run import model_of
from saga_sr.inspection.weights import open_weights
from saga_sr.packages.export import export_package
from saga_sr.packages.load import load_model

RATE = 48_000


def write_recording(path: Path) -> np.ndarray:
    """A second of stereo noise whose content ends at 6 kHz, [time, channel]."""
    noise = 0.1 * torch.randn(1, 2, RATE, generator=torch.Generator().manual_seed(0))
    audio = cut_above(noise, torch.tensor([6000.0]), RATE)[0].T.numpy()
    soundfile.write(path, audio, RATE, subtype="FLOAT")
    return audio


@pytest.mark.slow
def test_a_checkpoint_is_converted_once_and_enhances_stereo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    checkpoint = write_checkpoint(tmp_path / "pytorch_model.bin")
    audio = write_recording(tmp_path / "old.wav")
    done = program(
        "infer.py", f"input={tmp_path / 'old.wav'}", f"output={tmp_path / 'new.wav'}", "model=audiosr",
        f"path={checkpoint}", "enhance.sampler.steps=2",
    )  # fmt: skip
    assert done.returncode == 0 and "converted once" in done.stderr, done.stderr
    restored, rate = soundfile.read(tmp_path / "new.wav")
    assert rate == RATE and restored.shape == audio.shape
    spectra = np.abs(np.fft.rfft(np.stack([audio, restored]), axis=1))
    assert np.allclose(spectra[1, 100:4000], spectra[0, 100:4000], rtol=0.1, atol=0.1 * spectra[0, 100:4000].mean())
    assert spectra[1, 8000:].mean() > 10 * spectra[0, 8000:].mean()
    (package,) = (tmp_path / "cache" / "saga-sr").iterdir()
    made = package.stat().st_mtime_ns
    assert model_of("audiosr", str(checkpoint)) == str(package) and package.stat().st_mtime_ns == made
    Enhancer(load_model(package)).file(tmp_path / "old.wav", tmp_path / "again.wav", steps=2)
    assert np.allclose(soundfile.read(tmp_path / "again.wav")[0], restored, atol=1e-3 * np.abs(restored).max())
    with pytest.raises(ConfigError, match="model=audiosr needs path=FILE"):
        model_of("audiosr", None)
    inside = {entry.name: entry.ours for entry in open_weights(package).entries}
    assert inside["assets/codec: first_stage_model.vocoder.conv_pre.weight"] == "codec: vocoder.conv_pre.weight"


def training(folder: Path, *words: str) -> Path:
    """A run of `experiment=audiosr_finetune` on the built-in generator, ended; its model."""
    quick = [word for word in QUICK if word not in TINY and not word.startswith(("data.num_samples", "statistics"))]
    run = program(
        "train.py", "experiment=audiosr_finetune", *quick, "data=synthetic", "data.num_samples=30720",
        "sampler.steps=2", f"hydra.run.dir={folder}", *words,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return folder / "model"


@pytest.mark.slow
def test_training_goes_on_from_its_weights(tmp_path: Path) -> None:
    """As a flow, on the same weights, whose guidance keeps its null latent; and what comes of it is exported."""
    checkpoint = write_checkpoint(tmp_path / "pytorch_model.bin")
    found = training(
        tmp_path / "run", *TINY_AUDIOSR, f"init_from={checkpoint}", "objective=velocity", "trainer.max_steps=1",
        "trainer.val_check_interval=1",
    )  # fmt: skip
    report = (tmp_path / "run" / "init_report.txt").read_text()
    assert "loaded: down.0.0.conv.weight" in report and "0 new" in report
    assert "ignored: clap.model.logit_scale_a (CLAP" in report
    model = load_model(found)
    assert model.conditioner.conditions["acoustic"].null_value == pytest.approx(-11.4981 / 2)
    assert model.codec.latent_scale.eq(2).all()
    exported = export_package(tmp_path / "run", tmp_path / "exported", dtype="bfloat16")
    assert load_model(exported).sample_rate == RATE


@pytest.mark.slow
def test_another_backbone_is_trained_in_its_latents(tmp_path: Path) -> None:
    """As a flow, anew; its package has the codec in it, and restores."""
    checkpoint = write_checkpoint(tmp_path / "pytorch_model.bin")
    found = training(
        tmp_path / "run", "backbone=jat_tiny", "backbone.width=16", "backbone.depth=1", "backbone.heads=2",
        "backbone.kv_heads=1", f"codec.path={checkpoint}", "codec.pad_s=0", "init_from=null", "objective=velocity",
        "sampler=euler", "trainer.max_steps=2", "trainer.val_check_interval=2",
    )  # fmt: skip
    checkpoint.unlink()
    model = load_model(found)
    assert isinstance(model.backbone, JaT) and isinstance(model.codec, AudioSR) and model.codec.latent_scale.eq(2).all()
    restored = Enhancer(model)(write_recording(tmp_path / "old.wav").T[:, : RATE // 2], RATE, cutoff_hz=6000.0).audio
    assert restored.shape == (2, RATE // 2) and np.isfinite(restored).all()
