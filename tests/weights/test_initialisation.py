from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from conftest import model_config
from diffusers.models.embeddings import get_1d_rotary_pos_embed
from programs import program
from safetensors.torch import load_file, save_file
from stable_audio import (
    CONDITION,
    HEADS,
    LATENT,
    OURS,
    WIDTH,
    make_numbers,
    make_transformer,
    write_diffusers,
    write_official,
    write_original,
)
from text_encoder import make_text_encoder
from torch import Tensor

from saga_sr.conditioning import Conditioning
from saga_sr.conditioning.types import ConditionValues
from saga_sr.core.errors import ConfigError, WeightsError
from saga_sr.model import SuperResolver
from saga_sr.packages.package import build
from saga_sr.weights.initialisation import initialise
from saga_sr.weights.stable_audio import read_convention, read_weights


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_text_encoder(tmp_path_factory.mktemp("text"), CONDITION)


def our_model(text: Path, *overrides: str, conditioning: str = "[duration,text]") -> SuperResolver:
    settings = [f"conditioning={conditioning}", f"text_encoder={text}", *overrides]
    return build(model_config(*settings, tiny=OURS)).eval()


def theirs(z: Tensor, t: Tensor, tokens: Tensor, numbers: Tensor) -> Tensor:
    """The output of the independent implementation."""
    rotary = get_1d_rotary_pos_embed(WIDTH // HEADS // 2, z.shape[2] + 1, use_real=True, repeat_interleave_real=False)
    return make_transformer()(z, t, tokens, numbers[:, None], rotary, return_dict=False)[0]


@pytest.mark.parametrize("layout", ["diffusers", "safetensors", "ckpt", "ema"])
@pytest.mark.parametrize("objective", ["v", "rectified_flow"])
@torch.no_grad()
def test_every_layout_gives_the_network_and_its_velocity(
    tmp_path: Path, text: Path, layout: str, objective: str
) -> None:
    """Whatever z_lr is, the loaded network says what the original says, re-expressed in our convention."""
    if layout == "diffusers":
        path = write_diffusers(tmp_path / "sao", "v_prediction" if objective == "v" else "flow")
    else:
        name = "model.safetensors" if layout == "safetensors" else "model.ckpt"
        path = write_original(tmp_path / "sao", objective, name, ema=layout == "ema")
    convention = read_convention(path)
    assert convention == {"v": "v_prediction", "rectified_flow": "rectified_flow"}[objective]
    model = our_model(text, f"backbone.convention={convention}")
    report = initialise(model, path, tmp_path)
    torch.manual_seed(3)
    z, t, z_lr = torch.randn(3, LATENT, 9), torch.tensor([0.1, 0.5, 0.9]), torch.randn(3, LATENT, 9)
    tokens, numbers = torch.randn(3, 7, CONDITION), torch.randn(3, 2 * CONDITION)
    found = model.backbone(z, t, Conditioning(z_lr, tokens, global_=numbers)).value
    if objective == "v":
        r = torch.sqrt(t**2 + (1 - t) ** 2)[:, None, None]
        a, s = t[:, None, None] / r, (1 - t)[:, None, None] / r
        net = theirs(z / r, torch.atan2(1 - t, t) * 2 / torch.pi, tokens, numbers)
        expected = (a * z / r - s * net) - (s * z / r + a * net)
    else:
        expected = -theirs(z, 1 - t, tokens, numbers)
    assert found.abs().max() > 0.1 and torch.allclose(found, expected, atol=1e-4)
    seconds = torch.tensor([2.0, 30.0])
    theirs_too = make_numbers()
    start = theirs_too.start_number_conditioner(seconds)[:, 0]
    total = theirs_too.end_number_conditioner(seconds)[:, 0]
    duration = model.conditioner.duration
    assert torch.allclose(duration.start(seconds / 512), start, atol=1e-5)
    assert torch.allclose(duration.total(seconds / 512), total, atol=1e-5)
    assert sorted(report.widened) == ["conv_in.weight", "to_tokens.weight"] and not report.new


def test_nothing_is_silently_left_over(tmp_path: Path, text: Path) -> None:
    path = write_original(tmp_path / "sao", ema=True, name="model.ckpt")
    state = torch.load(path, weights_only=True)
    state["state_dict"]["diffusion.model.model.something.else"] = torch.zeros(2)
    torch.save(state, path)
    model = our_model(text, "backbone.convention=v_prediction", conditioning="text_rolloff")
    report = initialise(model, path, tmp_path)
    kinds = [report.loaded, report.widened, report.new]
    ours = {*model.backbone.state_dict(), *model.conditioner.state_dict()}
    assert set().union(*kinds) == ours and sum(map(len, kinds)) == len(ours)
    assert "diffusion.pretransform.model.encoder.layers.0.bias" in report.ignored
    assert any(name.endswith("something.else") for name in report.ignored)
    assert any(name.startswith("rolloff.") for name in report.new)
    assert "ignored: diffusion.pretransform.model.encoder.layers.0.bias" in (tmp_path / "init_report.txt").read_text()
    assert float(model.codec.latent_scale.mean()) == 0.5  # as its config says


@torch.no_grad()
def test_rolloff_starts_without_an_effect_beside_the_time(tmp_path: Path, text: Path) -> None:
    model = our_model(text, "backbone.convention=v_prediction", conditioning="text_rolloff")
    report = initialise(model, write_diffusers(tmp_path / "sao"), tmp_path)
    assert "global_embedding.0.weight" in report.widened
    first = model.backbone.global_embedding[0].weight
    assert first[:, : 2 * CONDITION].any() and not first[:, 2 * CONDITION :].any()


@torch.no_grad()
def test_what_the_weights_attend_to_and_the_model_does_not_is_said(tmp_path: Path, text: Path) -> None:
    """Stable Audio attends to its durations; where the model does too, it has the tokens that the weights know."""
    path = write_diffusers(tmp_path / "sao")
    beside, attended = (
        our_model(text, "backbone.convention=v_prediction", f"conditioning.duration.attended={value}")
        for value in ("false", "true")
    )
    (remark,) = initialise(beside, path, tmp_path).remarks
    assert "attend to duration" in remark and "conditioning.duration.attended=true keeps them" in remark
    assert remark in (tmp_path / "init_report.txt").read_text()
    assert not initialise(attended, path, tmp_path).remarks
    values = {"acoustic": None, "duration": torch.tensor([[0.0, 30 / 512]]), "text": ["a dog"]}
    described = attended.conditioner.describe(ConditionValues(1, torch.device("cpu"), values))
    numbers, zero, length = make_numbers(), torch.tensor([0.0]), torch.tensor([30.0])
    expected = [numbers.start_number_conditioner(zero), numbers.end_number_conditioner(length)]
    assert torch.allclose(described.cross_attention[0, :2], torch.cat(expected, dim=1)[0], atol=1e-5)
    without = beside.conditioner.describe(ConditionValues(1, torch.device("cpu"), values))
    assert torch.equal(without.cross_attention, described.cross_attention[:, 2:])
    assert torch.equal(without.global_, described.global_)
    # And a model_config.json that says otherwise is believed.
    original = write_original(tmp_path / "original")
    config = original.parent / "model_config.json"
    said = json.loads(config.read_text())
    for ids, told in ((["prompt", "seconds_start", "seconds_total"], {"duration"}), (["prompt"], set())):
        said["model"]["diffusion"]["cross_attention_cond_ids"] = ids
        config.write_text(json.dumps(said))
        assert read_weights(original).attended == told


@torch.no_grad()
def test_the_official_checkpoint_is_read_as_it_is(tmp_path: Path, text: Path) -> None:
    path = write_official(tmp_path / "official.pth")
    assert read_convention(path) == "velocity"
    model = our_model(text, conditioning="official")
    report = initialise(model, path, tmp_path)
    assert not report.widened and report.new == ["rolloff.full_band"]
    weights = torch.load(path, weights_only=True)
    assert torch.equal(model.backbone.conv_in.weight, weights["model.preprocess_conv.weight"])
    key = "conditioner.conditioners.output_cutoff_ratio.embedder.embedding.0.weights"
    assert torch.equal(model.conditioner.rolloff.target.frequency, weights[key])
    # Beside durations, the columns of the roll-offs are those after them.
    wider = our_model(text, conditioning="text_rolloff")
    initialise(wider, path, tmp_path)
    first = wider.backbone.global_embedding[0].weight
    assert not first[:, : 2 * CONDITION].any()
    assert torch.equal(first[:, 2 * CONDITION :], weights["model.to_global_embed.0.weight"])


def test_weights_that_do_not_fit_are_refused_in_one_sentence(tmp_path: Path, text: Path) -> None:
    path = write_original(tmp_path / "sao")
    for overrides, said in (
        (["backbone.depth=3"], r"has 2 blocks and the model 3; set backbone\.depth=2"),
        (["backbone.width=64"], r"is \[.*\] in the weights and \[.*\] in the model"),
        (["codec.latent_dim=8"], r"is \[6.*\] in the weights and \[8.*\] in the model"),
    ):
        with pytest.raises(WeightsError, match=said):
            initialise(our_model(text, *overrides), path, tmp_path)
    with pytest.raises(ConfigError, match="predict a velocity; add objective=velocity"):
        initialise(our_model(text, "backbone.convention=v_prediction", "objective=x_prediction"), path, tmp_path)
    with pytest.raises(ConfigError, match=r"from pure noise; add objective\.prior=noise"):
        informed = our_model(text, "backbone.convention=v_prediction", "objective.prior=low_resolution")
        initialise(informed, path, tmp_path)
    with pytest.raises(ConfigError, match="need backbone=saga_small"):
        initialise(build(model_config()), path, tmp_path)


def test_unreadable_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="There are no weights at"):
        read_weights(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(WeightsError, match=r"holds neither transformer/ \(diffusers\) nor model\.safetensors"):
        read_weights(tmp_path / "empty")
    whole = write_original(tmp_path / "sao")
    for name in ("model.safetensors", "model.ckpt"):
        truncated = write_original(tmp_path / name, name=name)
        truncated.write_bytes(truncated.read_bytes()[:2000])
        with pytest.raises(WeightsError, match=r"cannot be read .*copy it again"):
            read_weights(truncated)
    save_file({"some.weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="holds no Stable Audio transformer"):
        read_weights(tmp_path / "other.safetensors")
    (tmp_path / "code.ckpt").write_bytes(b"\x80\x04cos\nsystem\n(S'touch /tmp/owned'\ntR.")
    with pytest.raises(WeightsError, match="holds more than tensors"):
        read_weights(tmp_path / "code.ckpt")
    state = load_file(whole)
    state["model.model.transformer.layers.0.self_attn.q_norm.weight"] = torch.ones(8)
    save_file(state, tmp_path / "q.safetensors")
    with pytest.raises(WeightsError, match=r"q_norm\.weight, which SAGA-SR's transformer does not"):
        read_weights(tmp_path / "q.safetensors")
    (whole.parent / "model_config.json").unlink()
    with pytest.raises(WeightsError, match=r"put its model_config.json .*init_as=raw"):
        read_convention(whole)
    options = {"model": {"diffusion": {"config": {"attn_kwargs": {"qk_norm": "l2"}}}}}
    (whole.parent / "model_config.json").write_text(json.dumps(options))
    with pytest.raises(WeightsError, match=r"sets attn_kwargs to \{'qk_norm': 'l2'\}"):
        read_weights(whole)
    config = {"model": {"diffusion": {"diffusion_objective": "rf_denoiser"}}}
    (whole.parent / "model_config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="says that it is a v or a rectified_flow model"):
        read_convention(whole)
    assert read_weights(whole).convention is None  # which init_as=raw does not mind


@pytest.mark.slow
@pytest.mark.parametrize("init_as", ["converted", "raw"])
def test_a_run_starts_from_them(tmp_path: Path, text: Path, init_as: str) -> None:
    path = write_original(tmp_path / "sao")
    quick = [
        "data.num_samples=4096", "data.batch_size=2", "data.pool_clips=4", "data.pool_seconds=1",
        "data.validation_size=2", "statistics_clips=4", "trainer.max_steps=1", "trainer.val_check_interval=1",
        "trainer.accelerator=cpu", "ema=none", "optimizer.lr=0",
    ]  # fmt: skip
    run = program(
        "train.py", *OURS, *quick, "conditioning=text_rolloff", f"text_encoder={text}", "guidance=nested",
        f"init_from={path}", f"init_as={init_as}", f"hydra.run.dir={tmp_path / 'run'}",
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    report = (tmp_path / "run" / "init_report.txt").read_text()
    assert "widened: conv_in.weight" in report and "loaded: blocks.1.cross_attention.to_kv.weight" in report
    weights = load_file(tmp_path / "run" / "model" / "model.safetensors")
    original = load_file(path)
    assert torch.equal(weights["backbone.to_latent.weight"], original["model.model.transformer.project_out.weight"])
    convention = "v_prediction" if init_as == "converted" else "velocity"
    assert f"convention: {convention}" in (tmp_path / "run" / "model" / "config.yaml").read_text()
