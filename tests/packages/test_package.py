from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from conftest import TINY_SAGA, awake, model_config
from safetensors.torch import load_file
from text_encoder import make_text_encoder

import saga_sr
from saga_sr.core.errors import PackageError
from saga_sr.inference.enhancer import Enhancer
from saga_sr.packages.package import build, load_package, save_package


def copy_with(package: Path, folder: Path, change) -> Path:
    shutil.copytree(package, folder)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    change(config["model"])
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


def test_a_package_gives_back_the_same_model(tmp_path: Path) -> None:
    config = model_config()
    model = awake(build(config))
    model.codec.fit_statistics([torch.randn(1, 1, 9000)])
    loaded = saga_sr.load(save_package(model, config, tmp_path / "model", "# Card"), device="cpu")
    assert not loaded.model.training
    lr = 0.1 * torch.randn(5000)
    outputs = [enhancer(lr, 44_100, cutoff_hz=5000)[0] for enhancer in (Enhancer(model), loaded)]
    assert torch.equal(*outputs)
    assert sorted(p.name for p in (tmp_path / "model").iterdir()) == [
        "README.md",
        "config.yaml",
        "model.safetensors",
    ]
    save_package(model, config, tmp_path / "model", "# New card")  # replaces
    assert (tmp_path / "model/README.md").read_text() == "# New card" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "subprocess.run",
        "torch.load",
        "saga_sr.packages.package.subprocess.run",
        "saga_sr.backbones.jat.torch.load",
        "saga_sr.files.writing.AudioWriter",
        "saga_sr.model.rearrange",
        "saga_sr.codecs.none.None",
    ],
)
def test_code_from_outside_the_model_rooms_is_refused(package: Path, tmp_path: Path, target: str) -> None:
    evil = copy_with(package, tmp_path / "evil", lambda model: model.update(guidance={"_target_": target}))
    with pytest.raises(PackageError, match="asks for"):
        load_package(evil)


def test_missing_parts_are_named(package: Path, tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="no model package"):
        load_package(tmp_path / "nowhere")
    for name in ("config.yaml", "model.safetensors"):
        folder = tmp_path / name
        shutil.copytree(package, folder)
        (folder / name).unlink()
        with pytest.raises(PackageError, match=f"has no {name}"):
            load_package(folder)


@pytest.fixture(scope="module")
def with_text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package whose model reads text, the encoder it was made with gone."""
    folder = tmp_path_factory.mktemp("with_text")
    text = make_text_encoder(folder / "encoder")
    config = model_config("conditioning=text_rolloff", f"text_encoder={text}", tiny=TINY_SAGA)
    model = awake(build(config))
    model.conditioner.rolloff.full_band.fill_(0.5)
    saved = save_package(model, config, folder / "model", "# Card")
    assert config["conditioner"]["text"]["path"] == str(text)  # the caller's own is left alone
    shutil.rmtree(text)
    return saved


def test_networks_from_elsewhere_travel_with_the_package(with_text: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(with_text, moved)
    assert "encoder" not in (moved / "config.yaml").read_text().replace("t5", "").split("assets/")[0]
    lr = 0.1 * torch.randn(5000)
    outputs = [
        Enhancer(load_package(folder))(lr, 44_100, cutoff_hz=5000, prompt="a dog", rolloff=0.8)[0]
        for folder in (with_text, moved)
    ]
    assert torch.equal(*outputs)
    weights = load_file(moved / "model.safetensors")
    assert not any("reader" in name or "encoder" in name for name in weights)
    assert float(load_package(moved).conditioner.rolloff.full_band) == 0.5
    shutil.rmtree(moved / "assets")
    with pytest.raises(PackageError, match="There is no text encoder at"):
        load_package(moved)


@pytest.mark.parametrize("path", ["/etc", "../elsewhere", "assets/../../elsewhere", "assets"])
def test_a_package_cannot_lead_out_of_itself(with_text: Path, tmp_path: Path, path: str) -> None:
    evil = copy_with(with_text, tmp_path / "evil", lambda m: m["conditioner"]["text"].update(path=path))
    with pytest.raises(PackageError, match="outside its own assets/"):
        load_package(evil)


def test_no_code_of_a_text_encoder_runs(with_text: Path, tmp_path: Path) -> None:
    shutil.copytree(with_text, tmp_path / "m")
    encoder = tmp_path / "m/assets/conditioner.text"
    (encoder / "evil.py").write_text(f"open({str(tmp_path / 'owned')!r}, 'w')\n")
    for name in ("config.json", "tokenizer_config.json"):
        settings = json.loads((encoder / name).read_text())
        settings["auto_map"] = {"AutoTokenizer": ["evil.Evil", "evil.Evil"], "AutoModel": "evil.Evil"}
        (encoder / name).write_text(json.dumps(settings))
    with contextlib.suppress(PackageError):
        load_package(tmp_path / "m")
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("keep", [0, 5, 2000])
def test_truncated_weights_are_named(package: Path, tmp_path: Path, keep: int) -> None:
    shutil.copytree(package, tmp_path / "m")
    weights = tmp_path / "m/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:keep])
    with pytest.raises(PackageError, match="truncated or damaged") as caught:
        load_package(tmp_path / "m")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "model: 3", "model: [unclosed", "model: {_target_: saga_sr.codecs.mdct.MDCT}"])
def test_a_wrong_configuration_is_named(package: Path, tmp_path: Path, text: str) -> None:
    shutil.copytree(package, tmp_path / "m")
    (tmp_path / "m/config.yaml").write_text(text)
    with pytest.raises(PackageError, match=r"config\.yaml"):
        load_package(tmp_path / "m")


def test_settings_that_do_not_fit_are_named(package: Path, tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="does not fit"):
        load_package(copy_with(package, tmp_path / "a", lambda m: m["backbone"].update(width=64)))
    with pytest.raises(PackageError, match="cannot be divided"):
        load_package(copy_with(package, tmp_path / "b", lambda m: m["backbone"].update(width=33)))
    with pytest.raises(PackageError, match="do not fit JaT"):
        load_package(copy_with(package, tmp_path / "c", lambda m: m["backbone"].update(colour="red")))


def test_loading_imports_neither_lightning_nor_hydra_nor_dashboards(package: Path) -> None:
    code = (
        f"import sys, saga_sr; saga_sr.load({str(package)!r}); "
        "print([m for m in ('lightning', 'hydra', 'wandb', 'gradio', 'tensorboard', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_the_package_imports_no_torch() -> None:
    code = "import sys, saga_sr; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
