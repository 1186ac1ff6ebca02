from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TINY, TINY_SAGA
from hydra import compose, initialize_config_dir
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from programs import ROOT
from text_encoder import make_text_encoder
from torch.profiler import ProfilerActivity, profile
from transformers import DacConfig, DacModel

from saga_sr.core.errors import ConfigError
from saga_sr.inspection.cost import cost, evaluations, optimiser_bytes, step_flops, training_loss
from saga_sr.inspection.outline import outline
from saga_sr.inspection.parts import trained
from saga_sr.inspection.table import cost_table, count, memory
from saga_sr.packages.package import build


def settings(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("inspect", list(overrides))


def test_operations_are_those_of_the_closed_form() -> None:
    c, w, depth, heads, kv, n = 64, 32, 3, 2, 1, 17
    plan = outline(settings(*TINY, f"backbone.depth={depth}", "backbone.head=linear", "backbone.levels=false"))
    projections = 2 * n * w * (w + 2 * kv * (w // heads) + w)
    block = projections + 2 * (2 * n * n * w) + 2 * (2 * n * w * 4 * w) + 2 * w * 6 * w
    to_tokens, first_of_time = 2 * n * 2 * c * w, 2 * 256 * w
    expected = to_tokens + first_of_time + 2 * w * w + depth * block + 2 * w * 2 * w + 2 * n * w * c
    forward, both = step_flops(plan, plan.backbone_on("cpu"), n)
    assert forward == expected
    # Two products for each in the backward, but none for what is not trained: latents and time.
    assert both == 3 * expected - to_tokens - first_of_time


def test_a_second_costs_as_much_as_its_frames() -> None:
    config = settings(*TINY, "codec.latent_dim=882", "data.num_samples=44100", "chunk_s=1")
    found = cost(config)
    plan = outline(config)
    assert found.tokens == 50 and plan.frames(44_100) == 51  # the MDCT has one more at the end
    assert found.forward == step_flops(plan, plan.backbone_on("cpu"), 51)[0]
    assert found.sampling == 2 * found.forward and found.branches == 1


@pytest.mark.parametrize(("solver", "times"), [("euler", 5), ("midpoint", 10), ("heun", 9), ("gaussian", 5)])
def test_the_solver_says_how_often_the_network_runs(solver: str, times: int) -> None:
    assert evaluations(outline(settings(*TINY, f"sampler={solver}", "sampler.steps=5"))) == [1] * times


def test_branches_of_the_guidance_multiply_sampling_and_its_activations() -> None:
    plain, guided = (cost(settings(*TINY, f"guidance={name}")) for name in ("none", "classifier_free"))
    assert (plain.branches, guided.branches) == (1, 2)
    assert guided.sampling == 2 * plain.sampling and guided.training == plain.training
    assert guided.sampling_memory["activations"] > 1.5 * plain.sampling_memory["activations"]


def test_branches_that_a_schedule_leaves_out_cost_nothing() -> None:
    """Of four evaluations at 0, 1/4, 1/2 and 3/4 two are in the interval, and one of these is of both branches."""
    guided = ("guidance=classifier_free", "sampler=euler", "sampler.steps=4")
    always = cost(settings(*TINY, *guided))
    found = cost(settings(*TINY, *guided, "guidance.interval=[0.4,1]", "guidance.every=2"))
    assert (found.evaluations, found.branches) == (4, 2) and found.sampling == always.sampling * 5 / 8


def test_text_is_read_once_for_all_steps() -> None:
    """Keys and values of the tokens are projected before the first step."""
    few, many = (
        cost(settings(*TINY_SAGA, "conditioning=text", "text_encoder=null", f"sampler.steps={n}")) for n in (1, 2)
    )
    assert few.sampling < many.sampling < 2 * few.sampling


@pytest.mark.parametrize("conditioning", ["text", "text_rolloff", "official", "duration", "rolloff"])
def test_no_weights_are_needed_and_that_is_said(conditioning: str) -> None:
    found = cost(settings("backbone=saga_small", "codec=oobleck", f"conditioning={conditioning}", "backbone.depth=1"))
    assert (found.channels, found.latent_dim, round(found.tokens, 2), found.frozen) == (2, 64, 21.53, 0)
    assert "no codec.path" in found.left_out[0]
    assert len(found.left_out) == 1 + ("text" in conditioning or conditioning == "official")


def test_networks_that_are_there_are_counted(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = DacModel(
        DacConfig(
            encoder_hidden_size=4, decoder_hidden_size=16, downsampling_ratios=[2, 4], sampling_rate=8000, n_codebooks=2
        )
    )
    network.save_pretrained(tmp_path / "dac")
    text = make_text_encoder(tmp_path / "text", 24)
    overrides = ["codec=dac", f"codec.path={tmp_path / 'dac'}", "codec.sample_rate=8000", "codec.latent_dim=16"]
    given = ["backbone=saga_small", "conditioning=text", f"text_encoder={text}", "backbone.depth=1"]
    found = cost(settings(*overrides, *given))
    plan = outline(settings(*overrides, *given))
    encoder = sum(p.numel() for p in plan.model.conditioner.text.reader.network.parameters())
    assert found.frozen == sum(p.numel() for p in network.parameters()) + encoder and encoder > 1000
    assert found.training_memory["frozen networks"] == 4 * found.frozen
    assert not found.left_out and found.tokens == 1000
    with pytest.raises(InstantiationException, match="There is no codec at /none"):
        cost(settings(*overrides, "codec.path=/none"))


def test_the_outline_is_the_model(tmp_path: Path) -> None:
    """As many parameters, and the same shapes, as the model that training builds."""
    text = make_text_encoder(tmp_path / "text", 24)
    config = settings(*TINY_SAGA, "conditioning=text_rolloff", f"text_encoder={text}")
    real = build(OmegaConf.to_container(copy.deepcopy(config).model, resolve=True))
    found = cost(config)
    assert sum(found.parameters.values()) == sum(p.numel() for p in real.parameters() if p.requires_grad)
    outlined = outline(config).model.state_dict()
    assert {name: t.shape for name, t in outlined.items()} == {name: t.shape for name, t in real.state_dict().items()}
    assert found.parameters["conditioner"] == sum(p.numel() for p in real.conditioner.parameters())
    assert found.parameters["cross-attention"] == sum(
        p.numel() for block in real.backbone.blocks for p in block.cross_attention.parameters()
    )


def test_the_sizes_of_the_recipes_are_those_they_are_known_by() -> None:
    known = {"jat_v2": 284, "jat_v3": 762, "saga_paper": 1057}
    for name, millions in known.items():
        model = outline(settings(f"experiment={name}")).model
        assert round(trained(model) / 1e6) == millions, name


def test_memory_grows_with_what_it_is_for() -> None:
    plain = cost(settings(*TINY, "data.batch_size=2", "ema=none"))
    other = cost(settings(*TINY, "data.batch_size=4", "optimizer._target_=torch.optim.Adagrad", "~optimizer.betas"))
    parameters = sum(plain.parameters.values())
    assert plain.training_memory["weights"] == plain.training_memory["gradients"] == 4 * parameters
    assert plain.training_memory["optimiser's moments"] == 8 * parameters
    assert plain.training_memory["weight average"] == 0 and other.training_memory["weight average"] == 4 * parameters
    assert other.training_memory["optimiser's moments"] == 4 * parameters
    assert 1.5 < other.training_memory["activations"] / plain.training_memory["activations"] < 2
    wide = cost(settings(*TINY, "data.batch_size=2", "trainer.precision=32-true"))
    assert wide.training_memory["activations"] > 1.2 * plain.training_memory["activations"]
    assert optimiser_bytes(settings().optimizer) == 8


def test_the_memory_of_a_training_step_is_what_pytorch_counts_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a real step allocates and does not free, by the allocator's own account: PyTorch's profiler."""
    monkeypatch.setattr("saga_sr.backbones.layers.mkl_is_slow", lambda: False)
    # A GPU normalises queries and keys in one operation, the CPU in several.
    config = settings(*TINY, "trainer.precision=32-true", "ema=none", "backbone.qk_norm=false", "data.batch_size=4")
    plan, backbone = outline(config), instantiate(config.backbone)
    optimiser = instantiate(config.optimizer)(backbone.parameters())
    frames = plan.frames(config.data.num_samples)

    def allocated(phase: Callable[[], Any]) -> tuple[Any, int]:
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
            kept = phase()
        return kept, sum(event.self_cpu_memory_usage for event in record.key_averages())

    training_loss(plan, backbone, 4, frames, "cpu")  # what is kept from the first time on
    loss, activations = allocated(lambda: training_loss(plan, backbone, 4, frames, "cpu"))
    _, gradients_for_activations = allocated(loss.backward)
    _, moments = allocated(optimiser.step)
    weights = sum(parameter.nbytes for parameter in backbone.parameters())
    found = cost(config).training_memory
    assert found["activations"] == pytest.approx(activations, rel=0.02)
    assert found["optimiser's moments"] == pytest.approx(moments, rel=0.02)
    held = weights + activations + (activations + gradients_for_activations) + moments
    assert sum(found.values()) == pytest.approx(held, rel=0.02)


def test_wrong_settings_are_named() -> None:
    with pytest.raises(ConfigError, match=r"trainer\.precision=bf17 .* bf16-mixed"):
        cost(settings(*TINY, "trainer.precision=bf17"))
    with pytest.raises(ConfigError, match="must all be positive"):
        cost(settings(*TINY, "batch_size=0"))
    with pytest.raises(ConfigError, match="JaT attends to none"):
        cost(settings(*TINY, "conditioning=rolloff"))
    with pytest.raises(ConfigError, match=r"backbone\.head=gaussian"):
        cost(settings(*TINY, "loss=gaussian_nll", "backbone.head=linear"))


def test_columns_stand_side_by_side() -> None:
    jat, saga = cost(settings(*TINY)), cost(settings(*TINY_SAGA, "codec=dac", "codec.latent_dim=64"))
    table = cost_table({"first": jat, "second": saga})
    rows = {line[:28].strip(): line[28:].split() for line in table.splitlines()}
    assert rows[""][:2] == ["first", "second"] or table.splitlines()[0].split() == ["first", "second"]
    assert rows["modulation"][-1] == "-" and rows["modulation"][0] != "-"  # Saga has none
    assert rows["codec"] == ["MDCT", "DAC"]
    assert "Left out of second: the codec's network" in table


def test_figures_are_in_units_that_people_read() -> None:
    assert [count(n) for n in (0, 7, 1234, 284_100_000, 1.057e9)] == ["-", "7", "1.23 k", "284 M", "1,057 M"]
    assert count(84.8e9, "FLOP") == "84.8 GFLOP" and count(1.5e12, "FLOP") == "1.5 TFLOP"
    assert [memory(n) for n in (0, 12, 2048, 3 * 2**30)] == ["-", "12 B", "2.00 KiB", "3.00 GiB"]


def test_computing_blocks_again_keeps_less_and_fits_more() -> None:
    deep = ("backbone.depth=8", "data.batch_size=4", "data.num_samples=65536")
    plain = cost(settings(*TINY, *deep, "gpu_memory=64MiB"))
    again = cost(settings(*TINY, *deep, "trainer.checkpointing=true"))
    kept = again.training_memory["activations"]
    assert kept < 0.4 * plain.training_memory["activations"]
    assert 1.25 < again.training / plain.training < 1.4  # a forward more
    assert plain.fits is not None and again.fits is None
    limit, largest, largest_again = plain.fits
    assert limit == 64 * 2**20 and largest_again > 2 * largest > 0
    for batch, fitting in ((largest, True), (largest + 1, False)):
        found = sum(cost(settings(*TINY, *deep[:1], *deep[2:], f"data.batch_size={batch}")).training_memory.values())
        assert (found <= 0.9 * limit) == fitting


@pytest.mark.parametrize("size", ["24 potatoes", "0", "-3GiB", "1.2.3GiB"])
def test_a_memory_that_is_none_is_said(size: str) -> None:
    with pytest.raises(ConfigError, match="gpu_memory"):
        cost(settings(*TINY, f"gpu_memory='{size}'"))


# In the app, a thread counts, ends, and others take its memory.
THREADS = """
import threading, torch
from saga_sr.app.training_cost import training_cost

def run(work):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

run(lambda: training_cost(["experiment=demo"]))
for _ in range(200):
    run(lambda: [torch.empty(8), bytes(24)])
kept = [bytes(size) for size in range(1, 4000)]
run(lambda: training_cost(["experiment=demo"]))
"""


def test_one_thread_after_another_counts() -> None:
    subprocess.run([sys.executable, "-c", THREADS], check=True, cwd=ROOT)
