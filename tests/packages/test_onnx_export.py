"""Models as ONNX graphs, held against the model by onnxruntime."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import TINY, TINY_SAGA, awake, model_config
from text_encoder import make_text_encoder
from torch import Tensor

from saga_sr.cli.main import dispatch
from saga_sr.core.errors import ConfigError, ExtraError, PackageError
from saga_sr.flow import sampler
from saga_sr.model import SuperResolver
from saga_sr.packages import graphs, onnx_export
from saga_sr.packages.export import check_target
from saga_sr.packages.graphs import Graph, NetworkGraph, SamplerGraph
from saga_sr.packages.onnx_export import FILES, check, export_onnx
from saga_sr.packages.package import build, load_package, save_package

JAT = [
    *TINY,
    *("conditioning=cutoff", "backbone.head=gaussian", "backbone.levels=true", "loss=gaussian_nll"),
    *("sampler=gaussian", "sampler.noise=rademacher", "sampler.steps=4"),
]


def packaged(folder: Path, settings: list[str]) -> Path:
    torch.manual_seed(0)
    config = model_config(tiny=settings)
    model = awake(build(config))
    model.codec.fit_statistics([0.1 * torch.randn(1, 1, 9000)])
    return save_package(model, config, folder, "# A card\n")


@pytest.fixture(scope="module")
def jat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package whose head is Gaussian, with all that JaT has."""
    return packaged(tmp_path_factory.mktemp("jat") / "model", JAT)


@pytest.fixture(scope="module")
def saga(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package that reads text, roll-offs and a duration, and is guided by three branches."""
    folder = tmp_path_factory.mktemp("saga")
    text = make_text_encoder(folder / "encoder")
    conditions = ["conditioning=[text,rolloff,duration]", f"text_encoder={text}", "conditioning.acoustic.dropout=0.1"]
    small = ["backbone.depth=1", "sampler.steps=1"]
    return packaged(folder / "model", [*TINY_SAGA, *conditions, "guidance=nested", *small])


@pytest.fixture(scope="module")
def one_step(jat: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("onnx") / "one"
    dispatch(["export", str(jat), str(folder), "format=onnx", "steps=1"])
    return folder


@pytest.fixture
def sampler_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What sampling alone makes different is seen in `sampler.onnx`; `network.onnx` is not written."""

    def of_samplers(work: Callable[[Graph, Path], None]) -> Callable[[Graph, Path], None]:
        return lambda graph, path: work(graph, path) if isinstance(graph, SamplerGraph) else None

    for work in (onnx_export.write, onnx_export.check):
        monkeypatch.setattr(onnx_export, work.__name__, of_samplers(work))


def in_float32(package: Path) -> SuperResolver:
    model = load_package(package)
    model.mixed_precision = False
    return model


def run(path: Path, **inputs: Tensor) -> list[Tensor]:
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    assert [one.name for one in session.get_inputs()] == [*inputs]
    return [torch.from_numpy(found) for found in session.run(None, {name: x.numpy() for name, x in inputs.items()})]


def assert_same(found: Tensor, expected: Tensor) -> None:
    assert found.shape == expected.shape and found.dtype == torch.float32
    assert float(expected.std()) > 0.1 and float((found - expected).abs().max()) <= 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("length", [64 * 30, 44_100])
def test_noise_and_the_inputs_latent_become_the_restored_latent_of_any_length_in_one_step(
    jat: Path, one_step: Path, length: int
) -> None:
    model = in_float32(jat)
    lr, cutoff_hz = 0.1 * torch.randn(3, 1, length), torch.tensor([3000.0, 5000.0, 9000.0])
    noise = torch.randn(3, 64, length // 64 + 2)[..., : model.codec.encode(lr).shape[2]]
    conditioning, one = model.prepare_conditioning(lr, cutoff_hz, [""] * 3), model.sampler.changed(steps=1)
    expected = model.restore(lr, conditioning, lambda _: noise, cutoff_hz, one)
    scaled = torch.log(cutoff_hz / 100) / torch.log(torch.tensor(22_050 / 100))
    facts = json.loads((one_step / "model.json").read_text())
    assert facts["graphs"]["sampler"]["inputs"]["cutoff"]["meaning"].endswith("log(f / 100 Hz) / log(Nyquist / 100 Hz)")
    mean, scale = (torch.tensor(facts[name])[:, None] for name in ("latent_mean", "latent_scale"))
    z_lr = model.codec.without_rounding((model.codec.analyse(lr) - mean) / scale, cutoff_hz)
    (z,) = run(one_step / "sampler.onnx", noise=noise, z_lr=z_lr, cutoff=scaled[:, None])
    assert_same(model.codec.synthesise(z * scale + mean, length), expected)


@pytest.mark.slow
@pytest.mark.usefixtures("sampler_alone")
def test_graphs_of_an_informed_start_take_its_width(tmp_path: Path) -> None:
    prior = ["objective.prior=low_resolution", "objective.prior_width=0.2"]
    package = packaged(tmp_path / "model", [*JAT, "sampler.steps=2", *prior])
    assert export_onnx(package, tmp_path / "onnx") == []
    model = in_float32(package)
    lr, noise, cutoff_hz = 0.1 * torch.randn(2, 1, 64 * 40), torch.randn(2, 64, 41), torch.tensor([3000.0, 9000.0])
    expected = model.restore(lr, model.prepare_conditioning(lr, cutoff_hz, ["", ""]), lambda _: noise, cutoff_hz)
    width = torch.where(model.codec.channels_below(cutoff_hz), 0.2, 1.0)
    cutoff = (torch.log(cutoff_hz / 100) / torch.log(torch.tensor(220.5)))[:, None]
    z_lr = model.codec.without_rounding(model.codec.encode(lr), cutoff_hz)
    (z,) = run(tmp_path / "onnx" / "sampler.onnx", noise=noise, z_lr=z_lr, width=width, cutoff=cutoff)
    assert_same(model.codec.decode(z, lr.shape[-1]), expected)
    facts = json.loads((tmp_path / "onnx" / "model.json").read_text())
    assert facts["prior"] == {"prior": "low_resolution", "prior_width": 0.2, "prior_width_above": 1.0}
    graphs = facts["graphs"]
    assert "0.2, and 1 in channels" in graphs["sampler"]["inputs"]["width"]["meaning"]
    assert "(1 - t) (z_lr + width noise) + t z" in graphs["network"]["inputs"]["z_t"]["meaning"]
    assert "from (z_lr + width noise) at t = 0" in (tmp_path / "onnx" / "README.md").read_text()


@pytest.mark.slow
@pytest.mark.usefixtures("sampler_alone")
def test_an_envelope_becomes_a_graph(tmp_path: Path) -> None:
    settings = [word for word in TINY if not word.startswith("backbone")]
    network = ["backbone=envelope", "backbone.width=32", "backbone.depth=1", "sampler=gaussian"]
    envelope = packaged(tmp_path / "model", [*settings, *network, "sampler.noise=replicated", "sampler.steps=1"])
    export_onnx(envelope, tmp_path / "onnx")
    model = in_float32(envelope)
    lr, cutoff_hz = 0.1 * torch.randn(2, 1, 64 * 40), torch.tensor([3000.0, 9000.0])
    noise = torch.randn(2, 64, 41)
    expected = model.restore(lr, model.prepare_conditioning(lr, cutoff_hz, ["", ""]), lambda _: noise, cutoff_hz)
    z_lr = model.codec.without_rounding(model.codec.encode(lr), cutoff_hz)
    start = model.codec.replicated(z_lr, cutoff_hz, noise)
    (z,) = run(tmp_path / "onnx/sampler.onnx", noise=start, z_lr=z_lr)
    assert_same(model.codec.decode(z, 64 * 40), expected)


@pytest.mark.slow
def test_one_evaluation_of_the_network_gives_velocity_and_variance(jat: Path, one_step: Path) -> None:
    model = in_float32(jat)
    z_t, z_lr, t, cutoff_hz = torch.randn(2, 64, 50), torch.randn(2, 64, 50), torch.tensor([0.2, 0.8]), 4000.0
    silent = torch.zeros(2, 1, 64)
    field = model.velocity(z_lr, model.prepare_conditioning(silent, torch.full((2,), cutoff_hz), ["", ""]))
    with torch.no_grad():
        expected = field.moments(z_t, t)
    cutoff = torch.full((2, 1), float(torch.log(torch.tensor(cutoff_hz / 100)) / torch.log(torch.tensor(220.5))))
    found = run(one_step / "network.onnx", z_t=z_t, t=t, z_lr=z_lr, cutoff=cutoff)
    for one, right in zip(found, expected, strict=True):
        assert right is not None
        assert_same(one, right)


@pytest.mark.slow
def test_what_an_export_says_of_itself(one_step: Path) -> None:
    import onnx

    card = (one_step / "README.md").read_text()
    for line in (
        "| in | `z_t` | [batch, 64, frames] |",
        "| in | `cutoff` | [batch, 1] | where the input's content ends",
    ):
        assert line in card
    assert "a frame for 64 samples at 44100 Hz" in card and "1 step of the solver `gaussian`" in card
    facts = json.loads((one_step / "model.json").read_text())
    assert facts["codec"]["exponent"] > 0 and facts["sampler"]["times"] == [0.0, 1.0]
    assert facts["graphs"]["network"]["inputs"]["t"]["shape"] == ["batch"]
    said = {entry.key: entry.value for entry in onnx.load(one_step / "network.onnx").metadata_props}
    assert said["sample_rate"] == "44100" and said["hop_length"] == "64"
    check_target(one_step, FILES)  # may be replaced by another
    assert sorted(path.name for path in one_step.parent.iterdir()) == ["one"]


@pytest.mark.slow
def test_a_graph_that_does_not_do_what_the_model_does_is_not_passed(jat: Path, one_step: Path) -> None:
    model = in_float32(jat)
    check(NetworkGraph(model), one_step / "network.onnx")
    with torch.no_grad():
        model.get_parameter("backbone.to_tokens.weight").mul_(1.01)
    with pytest.raises(PackageError, match=r"velocity of network\.onnx differs by .* from PyTorch's"):
        check(NetworkGraph(model), one_step / "network.onnx")


def test_what_is_done_around_the_graphs_is_told() -> None:
    model = build(model_config("sampler.noise=replicated"))
    graph = SamplerGraph(model, model.sampler)
    assert "copied up" in graph.inputs["noise"].meaning
    assert "0 in channels above 1.03 times" in graph.inputs["z_lr"].meaning


@pytest.mark.slow
@pytest.mark.usefixtures("sampler_alone")
def test_text_roll_offs_and_guidance_go_into_the_graph_of_sampling(saga: Path, tmp_path: Path) -> None:
    assert export_onnx(saga, tmp_path / "onnx") == []
    model = in_float32(saga)
    lr, noise, prompts = 0.1 * torch.randn(2, 1, 64 * 40), torch.randn(2, 64, 41), ["a piano", ""]
    cutoff_hz = torch.tensor([3000.0, 5000.0])
    z_lr = model.codec.without_rounding(model.codec.encode(lr), cutoff_hz)
    conditions = model.conditioner.conditions
    expected = model.restore(lr, model.prepare_conditioning(lr, cutoff_hz, prompts), lambda _: noise, cutoff_hz)
    with torch.no_grad():
        text = conditions["text"](prompts).tokens
    rolloffs = torch.stack([conditions["rolloff"].measure(lr, 44_100, cutoff_hz)[:, 0], torch.ones(2)], dim=1)
    duration = torch.tensor([[0.0, conditions["duration"].total_share]] * 2)
    given = {"text": text, "rolloff": rolloffs, "duration": duration}
    given = {name: given[name] for name in conditions if name in given}
    (z,) = run(tmp_path / "onnx" / "sampler.onnx", noise=noise, z_lr=z_lr, **given)
    assert_same(model.codec.decode(z, lr.shape[-1]), expected)


def test_each_kind_of_noise_is_explained() -> None:
    assert {*graphs.NOISES} == {*sampler.NOISES}


def test_an_export_is_whole_or_absent(jat: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(graph: Graph, path: Path) -> None:
        path.write_bytes(b"")

    def fail(graph: Graph, path: Path) -> None:
        if isinstance(graph, SamplerGraph):
            raise PackageError("It differs.")

    monkeypatch.setattr(onnx_export, "write", write)
    monkeypatch.setattr(onnx_export, "check", fail)
    with pytest.raises(PackageError, match="It differs"):
        export_onnx(jat, tmp_path / "onnx")
    assert not [*tmp_path.iterdir()]
    config = model_config("sampler=heun", tiny=TINY)
    heun = save_package(awake(build(config)), config, tmp_path / "heun", "")
    (note,) = export_onnx(heun, tmp_path / "onnx")
    assert "no sampler.onnx" in note and "solver=heun" in note
    assert sorted(path.name for path in (tmp_path / "onnx").iterdir()) == ["README.md", "model.json", "network.onnx"]
    with pytest.raises(PackageError, match=r"holds README\.md|holds config\.yaml|holds model\.safetensors"):
        export_onnx(jat, heun)


def test_settings_of_packages_and_of_graphs_are_told_apart(jat: Path, tmp_path: Path) -> None:
    for words, said in (
        (["format=onnx", "dtype=bfloat16"], "dtype=bfloat16 is for packages; leave it out with format=onnx"),
        (["format=onnx", "push=a/b"], "push=a/b is for packages"),
        (["format=onnx", "steps=0"], "at least 1 step"),
        (["steps=1"], "steps=1 is for format=onnx"),
        (["format=coreml"], "format=coreml is not known; choose package or onnx"),
    ):
        with pytest.raises(ConfigError, match=said):
            dispatch(["export", str(jat), str(tmp_path / "onnx"), *words])
    assert not [*tmp_path.iterdir()]


def test_who_lacks_the_exporter_is_told_what_to_install(
    jat: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnxscript", None)
    with pytest.raises(ExtraError, match=r"onnxscript is not installed; this needs pip install 'saga-sr\[onnx\]'"):
        export_onnx(jat, tmp_path / "onnx")
