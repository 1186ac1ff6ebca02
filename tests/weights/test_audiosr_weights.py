from __future__ import annotations

from pathlib import Path

import pytest
import torch
from audiosr_checkpoint import RECORDED, checkpoint_tensors, comparison, write_checkpoint
from torch import Tensor

from saga_sr.backbones.audiosr_unet import AudioSRUNet
from saga_sr.conditioning import Conditioning
from saga_sr.core.errors import WeightsError
from saga_sr.flow.sampler import Sampler
from saga_sr.inspection.table import contents_table
from saga_sr.inspection.weights import open_weights
from saga_sr.packages.audiosr import convert
from saga_sr.packages.export import export_package
from saga_sr.packages.load import load_model
from saga_sr.training.distillation import Distillation
from saga_sr.weights.audiosr import read_audiosr

DOWN = "model.diffusion_model.input_blocks.2.0.op.weight"


def test_each_stage_is_what_the_official_classes_made_of_the_same_weights(tmp_path: Path) -> None:
    """Mel, encoder, U-Net, ten guided DDIM steps, decoder and vocoder, as recorded by benchmarks/audiosr."""
    package = convert(write_checkpoint(tmp_path / "pytorch_model.bin"), tmp_path / "package", torch.float32)
    errors = comparison().errors(RECORDED, package)
    assert {*errors} == {"mel", "encoded", "evaluated", "sampled", "sampled with noise", "decoded", "vocoded"}
    assert max(errors.values()) < 1e-4, errors


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A checkpoint and the package of it in float16."""
    folder = tmp_path_factory.mktemp("audiosr")
    checkpoint = write_checkpoint(folder / "pytorch_model.bin")
    return checkpoint, export_package(checkpoint, folder / "package", dtype="float16")


def test_it_teaches_a_student_of_few_steps(exported: tuple[Path, Path]) -> None:
    """As a flow, by steps without the noise that its own sampler draws."""
    teacher, student = load_model(exported[1]), load_model(exported[1])
    student.sampler = Sampler("euler", 1, distilled=True)
    audio = 0.1 * torch.randn(1, 1, 30_720, generator=torch.Generator().manual_seed(0))
    estimate = Distillation(teacher, 2)(student, student.pair(audio, audio, [""]), torch.Generator().manual_seed(0))
    (estimate.velocity - estimate.target_velocity).square().mean().backward()
    assert student.backbone.conv_out.weight.grad.any()


def test_half_the_precision_is_half_the_size_and_the_codecs_too(exported: tuple[Path, Path]) -> None:
    checkpoint, package = exported
    size = sum(path.stat().st_size for path in package.rglob("*") if path.is_file())
    tensors = checkpoint_tensors()
    used = sum(4 * tensors[name].numel() for name in read_audiosr(checkpoint).becomes)
    assert size < 0.55 * used
    assert "- 506: CLAP, which sampling does not use" in (package / "README.md").read_text()
    model = load_model(package)
    assert model.guidance.weights[frozenset()] == 3.5 and model.sampler.solver == "ddim"
    assert model.sampler.eta == 1.0
    contents = open_weights(checkpoint)
    assert contents.recognised.startswith("AudioSR's checkpoint") and len(contents.entries) == len(tensors)
    ours = {entry.name: entry.ours for entry in contents.entries}
    assert ours["model.diffusion_model.input_blocks.0.0.weight"] == "backbone.down.0.0.conv.weight"
    assert ours["clap.model.logit_scale_a"] is None
    assert "  not used: CLAP, which sampling does not use" in contents_table(contents, str(checkpoint))


def test_every_tensor_is_accounted_for(tmp_path: Path) -> None:
    weights = read_audiosr(write_checkpoint(tmp_path / "pytorch_model.bin"))
    assert {*weights.becomes, *weights.unused} == {*checkpoint_tensors()}
    assert not {*weights.becomes} & {*weights.unused} and "unknown" not in weights.unused.values()
    assert weights.latent_scale == 2.0 and weights.null_value == pytest.approx(-11.4981 / 2) and not weights.remarks
    taken = "cond_stage_models.0.vae.encoder.conv_in.weight"
    assert weights.becomes[taken] == "codec: vae.encoder.conv_in.weight"
    other = read_audiosr(write_checkpoint(tmp_path / "other.bin", **{taken: torch.ones(32, 1, 3, 3)}))
    assert taken in other.remarks[0] and other.vae.tensors["encoder.conv_in.weight"].eq(1).all()


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({DOWN: torch.ones(32, 32, 5, 5)}, DOWN),
        ({"first_stage_model.vocoder.ups.0.bias": torch.ones(7)}, "first_stage_model.vocoder.ups.0.bias"),
        ({"model.diffusion_model.film_emb.weight": torch.ones(8, 8)}, "model.diffusion_model.film_emb.weight"),
        ({"model.diffusion_model.out.2.bias": None}, "conv_out.bias"),
        ({"scale_factor": None}, "scale_factor"),
        ({"alphas_cumprod": torch.linspace(1, 0, 1000)}, "alphas_cumprod"),
    ],
)
def test_another_model_is_named_by_the_first_tensor_that_does_not_fit(
    changed: dict[str, Tensor | None], named: str, tmp_path: Path
) -> None:
    checkpoint = write_checkpoint(tmp_path / "pytorch_model.bin", **changed)
    with pytest.raises(WeightsError, match=named.replace(".", r"\.")):
        convert(checkpoint, tmp_path / "package", torch.float32)
    assert not (tmp_path / "package").exists()


def test_a_download_that_broke_off_is_said_to_be_one(tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "pytorch_model.bin")
    checkpoint.write_bytes(checkpoint.read_bytes()[:100_000])
    with pytest.raises(WeightsError, match=r"pytorch_model\.bin cannot be read"):
        convert(checkpoint, tmp_path / "package", torch.float32)


def test_frames_that_the_levels_cannot_halve_are_restored_too() -> None:
    unet = AudioSRUNet(64, bands=4, width=32, multipliers=(1, 1, 1), blocks=1, attention=(False, True, True))
    torch.manual_seed(0)
    for parameter in unet.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    z, z_lr = torch.randn(2, 2, 64, 8)
    whole = unet(z, torch.tensor([0.3, 0.9]), Conditioning(concat=z_lr)).value
    part = unet(z[..., :7], torch.tensor([0.3, 0.9]), Conditioning(concat=z_lr[..., :7])).value
    assert whole.shape == z.shape and part.shape == (2, 64, 7) and part.isfinite().all()
