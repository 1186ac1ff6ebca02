"""A condition of somebody else's: one class and one YAML in folders of their own, and no edit of this project."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TINY, TINY_SAGA, awake
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf
from prepared import CONDITIONS, LENGTH, SETTINGS, prepared
from programs import ROOT
from recordings import write_recordings

from saga_sr.core.errors import ConfigError, DataError, PackageError
from saga_sr.data.latents import LatentData
from saga_sr.flow.guidance import ClassifierFree
from saga_sr.inspection.cost import cost
from saga_sr.model import BranchConditioning, SuperResolver
from saga_sr.packages.package import build
from saga_sr.preparation.plan import Settings
from saga_sr.preparation.run import measuring_conditions
from saga_sr.synthesis.dataset import SyntheticAudio
from saga_sr.training.module import FlowMatchingModule

RATE = 44_100
CLASS = '''
import torch

from saga_sr.conditioning.condition import Condition, Dims, Embedding


class Loudness(Condition):
    """How loud the target is; beside the time, and on a channel of its own nowhere."""

    reads = frozenset({"loudness"})
    measures = True

    def __init__(self, width, dropout=0.1):
        super().__init__()
        self.dims = self.dims_of({"width": width})
        self.dropout = dropout
        self.project = torch.nn.Linear(1, width)
        self.register_buffer("usual", torch.zeros(()))

    @classmethod
    def dims_of(cls, settings):
        return Dims(columns=settings["width"])

    @staticmethod
    def measure(audio, sample_rate, cutoff_hz):
        return audio.square().mean(dim=(1, 2)).sqrt().clamp(min=1e-6).log10()

    @staticmethod
    def summarise(measured):
        return measured.mean()

    def set_summary(self, summary):
        self.usual.copy_(summary)

    def from_training(self, pairs):
        return pairs.hr - self.usual

    def from_request(self, request):
        return torch.full((len(request.prompts),), float(request.wishes.get("loudness", 0.0)))

    def forward(self, value):
        return Embedding(columns=self.project(value[:, None]))
'''
OPTION = "loudness:\n  _target_: somebodys_loudness.Loudness\n  width: 24\n  dropout: 0.1\n"


@pytest.fixture
def option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The override that lets the option be found."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "somebodys_loudness.py").write_text(CLASS)
    (tmp_path / "conf" / "conditioning").mkdir(parents=True)
    (tmp_path / "conf" / "conditioning" / "loudness.yaml").write_text(OPTION)
    monkeypatch.syspath_prepend(str(tmp_path / "code"))
    return f"hydra.searchpath=[file://{tmp_path / 'conf'}]"


def composed(name: str, *overrides: str) -> Any:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose(name, [*overrides])


def trained(config: Any, batches: list[dict[str, Any]]) -> SuperResolver:
    """Its model after a step for each batch."""
    torch.manual_seed(0)
    model: SuperResolver = awake(instantiate(config.model))
    module = FlowMatchingModule(
        model, instantiate(config.loss), instantiate(config.degradation), torch.optim.SGD, lambda o: None, 0, 4000.0, 1
    )
    module.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)
    for batch in batches:
        optimizer.zero_grad()
        torch.stack(list(module.loss_terms(batch, batch["index"].tolist()).values())).sum().backward()
        optimizer.step()
    return model.eval()


def audio_batches() -> list[dict[str, Any]]:
    clips = SyntheticAudio(8, 8192, seed=3)
    items = [clips[i] for i in range(8)]
    batches = (items[:4], items[4:])
    return [
        {
            "hr": torch.stack([item["hr"] for item in batch]),
            "caption": [item["caption"] for item in batch],
            "index": torch.tensor([item["index"] for item in batch]),
        }
        for batch in batches
    ]


AUDIO = 0.1 * torch.randn(1, 1, 9000, generator=torch.Generator().manual_seed(0))


def conditioned(model: SuperResolver, **wishes: float) -> BranchConditioning:
    return model.prepare_conditioning(AUDIO, torch.tensor([4000.0]), [""], wishes=wishes)


def restored(model: SuperResolver, **wishes: float) -> torch.Tensor:
    return model.restore(
        AUDIO,
        conditioned(model, **wishes),
        lambda frames: torch.randn(1, model.codec.latent_dim, frames, generator=torch.Generator().manual_seed(1)),
        torch.tensor([4000.0]),
    )


@pytest.mark.parametrize("backbone", [TINY, TINY_SAGA], ids=["jat", "saga"])
def test_a_condition_from_elsewhere_is_trained_asked_for_guided_and_counted(
    option: str, backbone: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saga_sr.model.has_fast_bfloat16", lambda kind: False)
    config = composed("train", option, *backbone, "conditioning=[cutoff,loudness]", "conditioning.cutoff.width=8")
    assert config.backbone.global_dim == 8 + 24
    torch.manual_seed(0)
    fresh = instantiate(config.model).conditioner.conditions["loudness"].project.weight.detach().clone()
    model = trained(config, audio_batches())
    assert not torch.equal(model.conditioner.conditions["loudness"].project.weight, fresh)
    model.fit_statistics(batch["hr"] for batch in audio_batches())
    mean = torch.cat([batch["hr"] for batch in audio_batches()]).square().mean(dim=(1, 2)).sqrt().log10().mean()
    assert float(model.conditioner.conditions["loudness"].usual) == pytest.approx(float(mean), abs=1e-5)
    # In use.
    quiet, loud = (restored(model, loudness=value) for value in (-2.0, 2.0))
    assert float((quiet - loud).abs().max()) > 1e-5
    with pytest.raises(ConfigError, match="trained without lightness"):
        conditioned(model, lightness=1.0)
    # In a branch of a guidance.
    model.guidance = ClassifierFree(2.0, ["loudness"])
    branched = conditioned(model, loudness=1.0)
    assert set(branched.weights) == {frozenset(), frozenset({"loudness"})}
    whole, without = branched.conditioning.global_
    assert torch.equal(whole[:8], without[:8]) and whole[8:].any() and not without[8:].any()
    # And in figures.
    both = ["conditioning=[cutoff,loudness]", "conditioning.cutoff.width=8"]
    counted = cost(composed("inspect", option, *backbone, *both))
    assert counted.parameters["conditioner"] == sum(p.numel() for p in model.conditioner.parameters())


@pytest.mark.parametrize("names", ["[cutoff]", "[cutoff,loudness]"])
def test_latents_are_prepared_for_conditions_and_trained_from(option: str, names: str, tmp_path: Path) -> None:
    """The cutoff is stored for whoever asks; what has to be measured, where it is measured for."""
    folder = write_recordings(tmp_path / "recordings", 6, 1.3)
    prepare = composed("prepare", option, "data.path=x", "output=y", "conditioning=[rolloff,loudness]")
    conditions = measuring_conditions(prepare.conditioning)
    assert conditions == CONDITIONS | {"loudness": "somebodys_loudness.Loudness"}
    made = prepared(folder, tmp_path / "made", Settings(**{**vars(SETTINGS), "conditions": conditions}))
    config = composed("train", option, *TINY, f"conditioning={names}")
    data = LatentData(
        str(made), 2, 4, sample_rate=RATE, num_samples=LENGTH // 2, channels=1, batch_size=4, epoch_size=8,
        validation_size=2, num_workers=0, seed=3,
    )  # fmt: skip
    model = trained(config, list(data.train_dataloader()))
    data.fit_statistics(model, 0, True)
    pair = model.stored_pair(*(batch_of(data)))
    # Below a tone of 500 Hz, or 2 to 16 kHz, between 100 Hz and Nyquist.
    edges = pair.values.by_name["cutoff"]
    assert edges.shape == (4, 1) and ((edges > 0.3) & (edges < 1)).all()
    if "loudness" in names:
        assert model.conditioner.conditions["loudness"].usual != 0


def batch_of(data: LatentData) -> tuple[Any, ...]:
    batch = next(iter(data.train_dataloader()))
    return tuple(batch[name] for name in ("z_hr", "z_lr", "caption", "cutoff_hz", "measured", "edge_hz"))


def test_latents_that_were_not_prepared_for_a_condition_are_refused(option: str, tmp_path: Path) -> None:
    folder = write_recordings(tmp_path / "recordings", 6, 1.3)
    made = prepared(folder, tmp_path / "made")
    data = LatentData(
        str(made), 2, 4, sample_rate=RATE, num_samples=LENGTH // 2, channels=1, batch_size=4, epoch_size=8,
        validation_size=2, num_workers=0, seed=3,
    )  # fmt: skip
    model = instantiate(composed("train", option, *TINY, "conditioning=loudness").model)
    with pytest.raises(DataError, match="prepared without what the condition loudness measures"):
        model.stored_pair(*(batch_of(data)))


def test_a_package_may_name_it_only_for_who_calls_it_his_own(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages come from strangers; classes from elsewhere are code from elsewhere."""
    config = OmegaConf.to_container(composed("train", option, *TINY, "conditioning=loudness").model, resolve=True)
    for own in ("", "somebodys", "somebodys_loudness.Loud", "another"):
        monkeypatch.setenv("SAGA_SR_OWN_CODE", own)
        with pytest.raises(PackageError, match=r"not part of the saga_sr model .*SAGA_SR_OWN_CODE=somebodys_loudness"):
            build(config)
    for own in ("another, somebodys_loudness", "somebodys_loudness.Loudness"):
        monkeypatch.setenv("SAGA_SR_OWN_CODE", own)
        assert type(build(config).conditioner.loudness).__name__ == "Loudness"
    config["conditioner"]["loudness"]["_target_"] = "somebodys_loudness.Loudness.Gone"
    with pytest.raises(PackageError, match=r"cannot be imported here.*PYTHONPATH"):
        build(config)


def test_widths_that_a_backbone_reads_follow_from_the_conditions() -> None:
    for names, tokens, columns in (
        ("none", None, None),
        ("duration", None, 32),
        ("[duration,rolloff]", 16, 64),
        ("[rolloff,cutoff]", 16, 48),
        ("[cutoff]", None, 16),
        ("[text,cutoff]", 16, 16),
        ("official", 16, 32),
    ):
        config = composed("train", *TINY_SAGA, f"conditioning={names}", "text_encoder=x")
        assert (config.backbone.cross_attention_dim, config.backbone.global_dim) == (tokens, columns), names
        assert config.model.conditioner.global_dim == columns
    assert math.isclose(config.conditioning.acoustic.null_value, -5)
