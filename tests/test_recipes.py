"""The ablation's recipes: each the one before with the one override that the plan names, with any codec."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import awake
from diffusers import AutoencoderOobleck
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from programs import ROOT
from text_encoder import make_text_encoder

from saga_sr.conditioning import ConditionRequest
from saga_sr.core.config import is_chosen
from saga_sr.inference.enhancer import Enhancer
from saga_sr.packages.package import build

STEPS = ["saga_small_step0", "saga_small_step1", "saga_small_step2", "saga_small_step3", "saga_full"]
PATHS = ["codec.path=/codec", "text_encoder=/text"]


def recipe(name: str, *overrides: str) -> dict[str, Any]:
    """The whole configuration, interpolations as they are."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = OmegaConf.to_container(compose("train", [f"experiment={name}", *overrides]))
    assert isinstance(config, dict)
    return {str(key): value for key, value in config.items()}


def changed(first: dict[str, Any], second: dict[str, Any]) -> set[str]:
    """The groups in which two recipes differ."""
    return {name for name in first if first[name] != second[name]}


def test_each_step_is_one_override_on_the_one_before() -> None:
    step0, step1, step2, step3, full = (recipe(name, *PATHS) for name in STEPS)
    for before, after, group in ((step0, step1, "conditioning"), (step1, step2, "conditioning")):
        assert changed(before, after) == {group}
    assert (
        recipe("saga_small_step0", *PATHS, "conditioning=[duration,text]", "conditioning.acoustic.dropout=0.0") == step1
    )
    assert recipe("saga_small_step1", *PATHS, "conditioning=[duration,text,rolloff]") == step2
    assert recipe("saga_small_step2", *PATHS, "low_band=off") == recipe("saga_small_step2_prime", *PATHS)
    assert recipe("saga_small_step2", *PATHS, "conditioning.acoustic.dropout=0.1") == step3
    assert recipe("saga_small_step3", *PATHS, "backbone=saga_full", "task_name=saga_full") == full


def test_what_is_attended_to_in_each_step_is_what_the_plan_says(tmp_path: Path) -> None:
    """Step 1: the prompt alone. Step 2: the roll-off with it. The length is beside the time in all."""
    text = make_text_encoder(tmp_path / "text", 64)
    tiny = [f"text_encoder={text}", "backbone.width=64", "backbone.depth=1", "backbone.heads=2", "codec=mdct"]
    tiny += ["backbone.cross_attention_width=64", "codec.latent_dim=16"]
    attended = {"saga_small_step0": set(), "saga_small_step1": {"text"}, "saga_small_step2": {"text", "rolloff"}}
    for name, expected in attended.items():
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            composed = compose("train", [f"experiment={name}", *tiny])
        conditioner = build(OmegaConf.to_container(composed.model, resolve=True)).conditioner
        audio = torch.randn(1, 1, 4000)
        request = ConditionRequest(audio, 44_100, torch.tensor([4000.0]), ["a dog"] if expected else [""])
        places = conditioner.describe(conditioner.request(request)).places
        assert {condition for condition, place in places.items() if place.tokens} == expected
        assert places["duration"].columns == ((0, 128),)


def test_the_papers_recipe_has_the_papers_numbers() -> None:
    paper = recipe("saga_paper", *PATHS, "init_from=/sao")
    assert paper["data"]["num_samples"] == 262_144
    assert paper["data"]["batch_size"] * paper["trainer"]["accumulate_grad_batches"] == 256
    assert paper["trainer"]["max_steps"] == 26_000 and paper["optimizer"]["lr"] == 1e-5
    assert paper["scheduler"] == recipe("saga_full", *PATHS)["scheduler"] and not paper["ema"]
    assert paper["scheduler"]["inv_gamma"] == 1e6 and paper["scheduler"]["warmup"] == 0.99
    assert paper["conditioning"]["acoustic"]["null_value"] == -5 and paper["sampler"]["steps"] == 100
    assert (paper["guidance"]["acoustic"], paper["guidance"]["text"]) == (1.4, 1.2)
    assert paper["degradation"]["cutoff_hz"] == [2000, 16000] and paper["objective"]["time"] == "logit_normal"


@pytest.mark.parametrize("codec", ["mdct", "oobleck"])
@pytest.mark.parametrize("name", [*STEPS[:-1], "saga_small_step2_prime", "saga_paper"])
def test_every_step_trains_and_restores_with_every_codec(name: str, codec: str, tmp_path: Path) -> None:
    text = make_text_encoder(tmp_path / "text", 64)
    overrides = [f"text_encoder={text}", "backbone.width=64", "backbone.depth=1", "backbone.heads=2", "init_from=null"]
    overrides += ["backbone.cross_attention_width=64", "sampler.steps=2", "codec.latent_dim=16"]
    if codec == "oobleck":
        torch.manual_seed(0)
        sizes = {"encoder_hidden_size": 32, "downsampling_ratios": [2, 4], "channel_multiples": [1, 2]}
        sizes |= {"decoder_channels": 8, "decoder_input_channels": 16, "audio_channels": 2, "sampling_rate": 44_100}
        AutoencoderOobleck(**sizes).save_pretrained(tmp_path / "vae")
        overrides.append(f"codec.path={tmp_path / 'vae'}")
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        composed = compose("train", [f"experiment={name}", f"codec={codec}", *overrides])
    assert composed.data.channels == (2 if codec == "oobleck" else 1)
    model = awake(build(OmegaConf.to_container(composed.model, resolve=True)))
    audio = 0.1 * torch.randn(2, composed.data.channels, 4000)
    model.fit_statistics(iter([audio]))
    pair = model.train().pair(audio, 0.5 * audio, ["a dog", "rain"])
    estimate = model.estimate(pair, torch.Generator().manual_seed(0))
    (estimate.velocity - estimate.target_velocity).square().mean().backward()
    parts = {"backbone.to_tokens.weight": model.backbone.to_tokens.weight}
    if "step0" not in name:
        parts["text key"] = model.backbone.blocks[0].cross_attention.to_kv.weight
    assert all(part.grad is not None and part.grad.any() for part in parts.values())
    restored = Enhancer(model.eval()).clips(audio, torch.tensor([4000.0, 4000.0]))
    assert restored.shape == audio.shape and restored.isfinite().all()


@pytest.mark.parametrize(
    ("name", "backbone", "loss"),
    [
        ("jat_v2", 1024, "VelocityMSE"),
        ("jat_v3", 1280, "VelocityMSE"),
        ("jat_mod1", 1280, None),
        ("jat_mod2", 1280, None),
    ],
)
def test_jat_recipes_have_the_seeds_numbers(name: str, backbone: int, loss: str | None) -> None:
    config = recipe(name, "codec.path=/codec")
    assert config["backbone"]["width"] == backbone and config["backbone"]["kv_heads"] == 4
    assert config["data"]["batch_size"] == 28 and config["trainer"]["max_steps"] == 100_000
    assert config["optimizer"]["lr"] == 1e-4 and config["scheduler"]["warmup_steps"] == 500
    acoustic = config["conditioning"]["acoustic"]
    assert (acoustic["dropout"], acoustic["noise"]) == (0.1, 0.05)
    assert config["guidance"]["scale"] == 3 and config["sampler"]["steps"] == 50
    assert config["objective"]["prediction"] == "data" and config["codec"]["latent_dim"] == 1024
    target = config["loss"]["_target_"].rpartition(".")[2]
    assert target == (loss or "LatentPerceptual")
    if loss is None:
        assert list(config["loss"]["terms"])[-1] == ("consistency" if name == "jat_mod2" else "multi_scale")


def test_none_of_a_group_is_none_whatever_a_recipe_says_of_the_others() -> None:
    """`bundled` gives the average a decay."""
    bundled = recipe("bundled", "data.path=x", "ema=none")
    assert bundled["ema"] and not is_chosen(bundled["ema"])
    assert is_chosen(recipe("bundled", "data.path=x")["ema"])
    assert not is_chosen(recipe("demo", "ema=none")["ema"])
