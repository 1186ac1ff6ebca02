"""Models that are trained in a mel spectrogram, with and without an autoencoder, and recipes at 48 kHz."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
import torch
from conftest import awake
from hydra import compose, initialize_config_dir
from mel_networks import make_audioldm2, make_vocoder
from omegaconf import OmegaConf
from programs import ROOT, program

from saga_sr.cli.main import dispatch
from saga_sr.evaluation import reconstruction
from saga_sr.evaluation.perceptual import Heard
from saga_sr.inference.enhancer import Enhancer
from saga_sr.packages.package import build

BACKBONES = {
    "jat_tiny": ["backbone.width=16", "backbone.depth=1", "backbone.heads=4"],
    "saga_small": ["backbone.width=64", "backbone.depth=1", "backbone.heads=2"],
}


def composed(*overrides: str) -> Any:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("train", list(overrides))


def overrides_of(codec: str, folder: Path) -> list[str]:
    """A codec of each kind with a small network."""
    if codec == "mel":
        make_vocoder(folder, "vocos")
        return ["codec=mel", f"codec.path={folder}", "codec.latent_dim=20"]
    return ["codec=audioldm2_music", f"codec.path={make_audioldm2(folder)}", "codec.latent_dim=32"]


@pytest.mark.parametrize("codec", ["audioldm2_music", "mel"])
@pytest.mark.parametrize("backbone", BACKBONES)
def test_any_backbone_learns_and_restores_in_it(backbone: str, codec: str, tmp_path: Path) -> None:
    overrides = [*overrides_of(codec, tmp_path), f"backbone={backbone}", *BACKBONES[backbone], "sampler.steps=2"]
    config = composed("experiment=demo", *overrides)
    model = awake(build(OmegaConf.to_container(config.model, resolve=True)))
    audio = 0.1 * torch.randn(2, 1, 8000)
    model.fit_statistics(iter([audio]))
    pair = model.train().pair(audio, 0.5 * audio, [""] * 2)
    estimate = model.estimate(pair, torch.Generator().manual_seed(0))
    (estimate.velocity - estimate.target_velocity).square().mean().backward()
    assert model.backbone.to_tokens.weight.grad.any()
    restored = Enhancer(model.eval()).clips(audio, torch.tensor([4000.0, 4000.0]))
    assert restored.shape == audio.shape and restored.isfinite().all()


@pytest.mark.slow
def test_the_demo_trains_in_audioldm2s_latents_and_its_package_enhances(tmp_path: Path) -> None:
    small = ["trainer.max_steps=2", "trainer.val_check_interval=2", "data.pool_clips=4", "data.validation_size=2"]
    small += ["statistics_clips=4", "data.batch_size=2", *BACKBONES["jat_tiny"], f"hydra.run.dir={tmp_path / 'run'}"]
    done = program("train.py", "experiment=demo", *overrides_of("audioldm2_music", tmp_path / "weights"), *small)
    assert done.returncode == 0, done.stderr
    # The networks are in the package, so what they were read from is no longer needed.
    model = tmp_path / "run" / "model"
    assert {path.name for path in (model / "assets" / "codec").iterdir()} == {"vae", "vocoder"}
    (tmp_path / "weights").rename(tmp_path / "gone")
    time = np.arange(44_100) / 44_100
    sf.write(tmp_path / "low.wav", 0.2 * np.sin(2 * np.pi * 500 * time) * np.hanning(44_100), 44_100)
    done = program("infer.py", f"model={model}", f"input={tmp_path / 'low.wav'}", f"output={tmp_path / 'high.wav'}")
    assert done.returncode == 0, done.stderr
    assert sf.info(tmp_path / "high.wav").duration == pytest.approx(1.0, abs=0.01)


def test_at_48_khz_the_demo_is_a_recipe_of_its_own() -> None:
    config = composed("experiment=demo_48k")
    assert config.model.codec.sample_rate == config.data.sample_rate == config.degradation.sample_rate == 48_000
    assert config.data.num_samples / 48_000 == 10.24 and config.data.pool_seconds > 10.24
    # Nothing else is other than the demo's.
    ours, demo = (OmegaConf.to_container(each) for each in (config, composed("experiment=demo")))
    assert {name for name in demo if demo[name] != ours[name]} == {"codec", "data", "task_name"}


def test_it_works_with_codecs_of_48_khz(tmp_path: Path) -> None:
    config = composed("experiment=demo_48k", "codec=mel", *BACKBONES["jat_tiny"], "codec.latent_dim=20")
    model = build(OmegaConf.to_container(config.model, resolve=True))
    assert model.codec.sample_rate == 48_000
    assert model.codec.encode(0.1 * torch.randn(1, 1, 48_000)).shape == (1, 20, 94)


def test_both_ways_back_are_methods_of_reconstruct(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconstruction, "listen", lambda *_: Heard(dict.fromkeys(("pesq", "stoi", "visqol")), {}))
    sf.write(tmp_path / "tone.wav", 0.2 * np.sin(np.arange(22_050) / 10), 44_100)
    path = f"codec.audioldm2_music.path={make_audioldm2(tmp_path / 'weights')}"
    words = ["codecs=audioldm2_music", path, "codec.audioldm2_music.latent_dim=32", f"output={tmp_path}"]
    dispatch(["reconstruct", *words, str(tmp_path / "tone.wav")])
    analysis = json.loads((tmp_path / "tone_analysis.json").read_text())
    assert list(analysis["methods"]) == ["audioldm2_music_vocoder", "audioldm2_music_griffin_lim"]
    for found in analysis["methods"].values():
        assert sf.info(tmp_path / found["audio"]).frames == 22_050
        assert {"snr", "correlation", "rmse"} <= found["metrics"].keys() and found["seconds"] > 0
        assert found["latent"]["numbers_per_second"] == pytest.approx(25 * 32, rel=0.05)
