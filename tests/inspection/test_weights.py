"""Every layout that is read, made on the spot by the real classes, and what is none."""

from __future__ import annotations

import json
import pickle
import random
import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from conftest import TINY, TINY_SAGA, awake, model_config
from diffusers import AutoencoderOobleck
from mel_networks import make_audioldm2, make_vocoder
from safetensors.torch import load_file, save_file
from stable_audio import CONDITION, OURS, write_diffusers, write_official, write_original
from text_encoder import make_text_encoder
from transformers import T5Config, T5ForConditionalGeneration

from saga_sr.codecs.dac import DAC, load_dac
from saga_sr.core.errors import PackageError, SagaError, WeightsError
from saga_sr.inspection.contents import Contents
from saga_sr.inspection.table import contents_table
from saga_sr.inspection.weights import open_weights
from saga_sr.packages.package import build, save_package

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import dac

DAC_SIZES: dict[str, Any] = {
    "encoder_dim": 8, "encoder_rates": [2, 4], "decoder_dim": 16, "decoder_rates": [4, 2], "n_codebooks": 3,
    "codebook_size": 16, "codebook_dim": 4, "sample_rate": 8000,
}  # fmt: skip
VAE_SIZES: dict[str, Any] = {
    "encoder_hidden_size": 8, "downsampling_ratios": [2, 4], "channel_multiples": [1, 2], "decoder_channels": 8,
    "decoder_input_channels": 4, "audio_channels": 2, "sampling_rate": 8000,
}  # fmt: skip


def becomes(contents: Contents) -> dict[str, str | None]:
    return {entry.name: entry.ours for entry in contents.entries}


def write_dac(path: Path) -> Path:
    torch.manual_seed(0)
    torch.save({"state_dict": dac.DAC(**DAC_SIZES).state_dict(), "metadata": {"kwargs": DAC_SIZES}}, path)
    return path


@pytest.mark.parametrize("layout", ["diffusers", "safetensors", "ckpt", "ema"])
def test_stable_audios_weights_become_all_that_our_model_has_of_them(tmp_path: Path, layout: str) -> None:
    """Each of our tensors but those of z_lr, by the name that our own model gives it."""
    if layout == "diffusers":
        path = write_diffusers(tmp_path / "sao")
    else:
        name = "model.safetensors" if layout == "safetensors" else "model.ckpt"
        path = write_original(tmp_path / "sao", name=name, ema=layout == "ema")
    text = make_text_encoder(tmp_path / "text", CONDITION)
    model = build(model_config("conditioning=[duration,text]", f"text_encoder={text}", tiny=OURS))
    ours = {f"backbone.{name}" for name in model.backbone.state_dict()}
    ours |= {f"conditioner.{name}" for name in model.conditioner.state_dict()}
    contents = open_weights(path)
    assert {str(name).partition(" (")[0] for name in becomes(contents).values() if name} == ours
    assert "predicts v_prediction" in contents.facts
    assert f"latents are divided by {1 if layout == 'diffusers' else 0.5}" in contents.facts
    left = {name for name, found in becomes(contents).items() if found is None}
    assert any("pretransform" in name for name in left) or layout == "diffusers"
    assert any(name.startswith("diffusion.model.") for name in left) == (layout == "ema")  # the average is taken


@pytest.mark.parametrize("layout", ["hifigan", "bigvgan", "vocos"])
def test_a_vocoders_folder_and_its_file_are_known(tmp_path: Path, layout: str) -> None:
    network = make_vocoder(tmp_path, layout)
    (file,) = (path for path in tmp_path.iterdir() if not path.name.startswith("config."))
    for path in (tmp_path, file):
        contents = open_weights(path)
        assert contents.recognised.startswith(f"a vocoder, {type(network).__name__}, for codec=mel")
        assert contents.facts == ["reads 20 mel bands at 44100 Hz, 256 samples a frame"]
        assert {*becomes(contents).values()} == {f"codec: vocoder.{name}" for name in network.state_dict()}


def test_audioldm2s_pipeline_is_known_by_each_of_its_folders(tmp_path: Path) -> None:
    folder = make_audioldm2(tmp_path / "audioldm2")
    for path in (folder, folder / "vae", folder / "vocoder", folder / "vocoder" / "model.safetensors"):
        contents = open_weights(path)
        assert contents.recognised.startswith("AudioLDM2's autoencoder and vocoder, for codec=audioldm2_music")
        found = becomes(contents)
        assert None not in found.values()
        assert found["vae/encoder.conv_in.weight"] == "codec: vae.encoder.conv_in.weight"
        assert found["vocoder/conv_pre.weight"] == "codec: vocoder.conv_pre.weight"
    make_audioldm2(tmp_path / "pictures", in_channels=3)
    with pytest.raises(WeightsError, match="vae is the autoencoder of pictures"):
        open_weights(tmp_path / "pictures")


def test_what_is_joined_says_which_part_it_becomes(tmp_path: Path) -> None:
    found = becomes(open_weights(write_diffusers(tmp_path / "sao")))
    block = "transformer/transformer_blocks.1.attn1.to_"
    ours = "backbone.blocks.1.self_attention.to_qkv.weight"
    assert [found[f"{block}{part}.weight"] for part in "qkv"] == [f"{ours} ({i} of 3)" for i in (1, 2, 3)]


def test_shapes_and_sizes_are_the_files(tmp_path: Path) -> None:
    path = write_original(tmp_path / "sao")
    tensors = load_file(path)
    entries = {entry.name: entry for entry in open_weights(path).entries}
    assert entries.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert (entries[name].shape, entries[name].dtype, entries[name].size) == (
            tuple(tensor.shape), "float32", tensor.nbytes,
        )  # fmt: skip


def test_the_official_checkpoint_is_recognised(tmp_path: Path) -> None:
    contents = open_weights(write_official(tmp_path / "official.pth"))
    assert "SAGA-SR's code" in contents.recognised and "predicts velocity" in contents.facts
    ours = becomes(contents)["conditioner.conditioners.input_cutoff_ratio.embedder.embedding.0.weights"]
    assert ours == "conditioner.rolloff.input.frequency"


def test_a_dac_file_becomes_what_the_reader_makes_of_it(tmp_path: Path) -> None:
    """The tensors of a bias are where the codec's own reader puts them."""
    path = write_dac(tmp_path / "weights.pth")
    contents = open_weights(path)
    state, network = torch.load(path, weights_only=True)["state_dict"], load_dac(path).state_dict()
    assert "descript-audio-codec" in contents.recognised
    found = becomes(contents)
    assert {f"codec: {name}" for name in network} == set(found.values())
    for name in state:
        if name.endswith(("bias", "alpha", "codebook.weight")):
            assert torch.equal(state[name], network[str(found[name]).removeprefix("codec: ")])


@pytest.mark.parametrize("pipeline", [False, True])
def test_folders_of_networks_keep_their_names(tmp_path: Path, pipeline: bool) -> None:
    DAC(str(write_dac(tmp_path / "weights.pth")), 8000, 32).save_pretrained(tmp_path / "dac")
    AutoencoderOobleck(**VAE_SIZES).save_pretrained(tmp_path / "sao" / "vae" if pipeline else tmp_path / "sao")
    for folder, said in (("dac", "codec=dac"), ("sao", "codec=oobleck")):
        contents = open_weights(tmp_path / folder)
        assert said in contents.recognised
        assert all(ours == f"codec: {name}" for name, ours in becomes(contents).items()) and contents.entries


def test_of_a_whole_t5_only_the_encoder_is_taken(tmp_path: Path) -> None:
    config = T5Config(
        vocab_size=11, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2, pad_token_id=0, decoder_start_token_id=0
    )
    T5ForConditionalGeneration(config).save_pretrained(tmp_path)
    found = becomes(open_weights(tmp_path))
    assert {name.partition(".")[0] for name, ours in found.items() if ours} == {"encoder", "shared"}
    assert any(name.startswith("decoder.") for name in found)


def test_a_package_is_listed_with_its_networks(tmp_path: Path) -> None:
    text = make_text_encoder(tmp_path / "text", 24)
    config = model_config("conditioning=text_rolloff", f"text_encoder={text}", tiny=TINY_SAGA)
    model = awake(build(config))
    folder = save_package(model, config, tmp_path / "model", "# Card")
    contents = open_weights(folder)
    assert "model package" in contents.recognised and "backbone: Saga" in contents.facts
    found = becomes(contents)
    assert all(found[name] == name for name in model.state_dict())
    assert found["assets/conditioner.text: shared.weight"] == "text encoder: shared.weight"
    assert open_weights(folder / "model.safetensors") == contents
    weights = load_file(folder / "model.safetensors")
    save_file(weights | {"backbone.stranger": torch.zeros(2)}, folder / "model.safetensors")
    assert becomes(open_weights(folder))["backbone.stranger"] is None


def test_a_checkpoint_is_listed_by_the_models_names(tmp_path: Path) -> None:
    state = {"model.backbone.to_tokens.weight": torch.zeros(2, 3)}
    moments = {"state": {0: {"exp_avg": torch.zeros(2, 3), "step": torch.tensor(4.0)}}, "param_groups": [{"lr": 0.1}]}
    callbacks = {"ModelCheckpoint{'monitor': 'val/lsd_hf'}": {"best_model_score": torch.tensor(1.0)}}
    saved = {"global_step": 4, "state_dict": state, "current_model_state": state, "callbacks": callbacks}
    torch.save(saved | {"optimizer_states": [moments]}, tmp_path / "step-4.ckpt")
    contents = open_weights(tmp_path / "step-4.ckpt")
    assert "step 4" in contents.facts and "averaged" in contents.facts[1]
    assert becomes(contents) == {
        "state_dict.model.backbone.to_tokens.weight": "backbone.to_tokens.weight",
        "current_model_state.model.backbone.to_tokens.weight": "backbone.to_tokens.weight",
        "callbacks.ModelCheckpoint.best_model_score": None,
        "optimizer_states.0.state.0.exp_avg": "the optimiser's state",
        "optimizer_states.0.state.0.step": "the optimiser's state",
    }


def test_the_listing_has_a_line_for_each_tensor_and_a_sum(tmp_path: Path) -> None:
    path = tmp_path / "step-1.ckpt"
    torch.save({"state_dict": {"model.backbone.a": torch.zeros(256, 4), "loss.b": torch.zeros(())}}, path)
    lines = contents_table(open_weights(path), "x.ckpt").splitlines()
    assert lines[0].startswith("x.ckpt: a checkpoint") and lines[-1].startswith("2 tensors of 1.02 k numbers, 4.00 KiB")
    assert lines[-1].endswith("1 become nothing here.")
    assert [line.split() for line in lines[-4:-2]] == [
        ["state_dict.model.backbone.a", "256", "x", "4", "float32", "4.00", "KiB", "backbone.a"],
        ["state_dict.loss.b", "scalar", "float32", "4", "B", "-"],
    ]


def test_what_is_not_read_is_said_in_one_sentence(tmp_path: Path) -> None:
    for path, said in (
        (tmp_path / "nowhere", "There is nothing at"),
        (tmp_path, "of no layout that is read here"),
    ):
        with pytest.raises(WeightsError, match=said):
            open_weights(path)
    torch.save({"weight": torch.zeros(2)}, tmp_path / "other.pth")
    (tmp_path / "notes.txt").write_text("not a model")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("{")
    torch.save({"state_dict": {}, "metadata": {"kwargs": {}}}, tmp_path / "dac.pth")
    for name, said in (
        ("other.pth", "of no layout that is read here; give a model package"),
        ("notes.txt", "notes.txt cannot be read"),
        ("broken", "config.json is not valid JSON"),
        ("dac.pth", "dac.pth holds no DAC that can be read"),
    ):
        with pytest.raises(WeightsError, match=said):
            open_weights(tmp_path / name)
    AutoencoderOobleck(**VAE_SIZES).save_pretrained(tmp_path / "vae")
    config = json.loads((tmp_path / "vae/config.json").read_text())
    (tmp_path / "vae/config.json").write_text(json.dumps(config | {"downsampling_ratios": "many"}))
    with pytest.raises(WeightsError, match="describes no network that can be made"):
        open_weights(tmp_path / "vae")
    (tmp_path / "vae/config.json").write_text(json.dumps(config))
    next((tmp_path / "vae").glob("*.safetensors")).unlink()
    with pytest.raises(WeightsError, match="holds no safetensors weights"):
        open_weights(tmp_path / "vae")


def test_damaged_packages_are_named(tmp_path: Path) -> None:
    config = model_config(tiny=TINY)
    whole = save_package(build(config), config, tmp_path / "model", "# Card")
    truncated, foreign, lacking = tmp_path / "truncated", tmp_path / "foreign", tmp_path / "lacking"
    for folder in (truncated, foreign, lacking):
        shutil.copytree(whole, folder)
    (truncated / "model.safetensors").write_bytes((whole / "model.safetensors").read_bytes()[:999])
    settings = yaml.safe_load((whole / "config.yaml").read_text())
    settings["model"]["backbone"] = {"_target_": "os.system", "command": f"touch {tmp_path / 'owned'}"}
    (foreign / "config.yaml").write_text(yaml.safe_dump(settings))
    (lacking / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"model\.safetensors cannot be read"):
        open_weights(truncated)
    with pytest.raises(PackageError, match=r"os\.system"):
        open_weights(foreign)
    with pytest.raises(PackageError, match=r"has no model\.safetensors"):
        open_weights(lacking)
    assert not (tmp_path / "owned").exists()


class Owner:
    """What a pickle from a stranger may hold."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Path.touch, (self.path,)


def test_no_code_of_a_file_runs_and_no_damage_shows_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "evil.ckpt").write_bytes(pickle.dumps({"state_dict": Owner(tmp_path / "owned")}))
    with pytest.raises(WeightsError, match="holds more than tensors"):
        open_weights(tmp_path / "evil.ckpt")
    torch.save({"state_dict": Owner(tmp_path / "owned")}, tmp_path / "evil.pth")
    with pytest.raises(WeightsError, match="holds more than tensors"):
        open_weights(tmp_path / "evil.pth")
    assert not (tmp_path / "owned").exists()
    draw = random.Random(0)
    for path in (write_dac(tmp_path / "a.pth"), write_original(tmp_path / "sao")):
        whole = path.read_bytes()
        for _ in range(20):
            damaged = bytearray(whole[: draw.randrange(len(whole))] if draw.random() < 0.3 else whole)
            for _ in range(30):
                damaged[draw.randrange(min(3000, len(damaged)))] = draw.randrange(256)
            path.write_bytes(damaged)
            try:
                open_weights(path)
            except SagaError as error:
                assert "\n" not in str(error) and len(str(error)) < 600
