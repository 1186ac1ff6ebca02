"""Packages of runs that were trained for real, with an average of the weights and without."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path

import pytest
import torch
import yaml
from conftest import QUICK, TINY_SAGA, awake, model_config
from programs import program
from safetensors.torch import load_file
from text_encoder import make_text_encoder

from saga_sr.core.errors import ConfigError, PackageError, SagaError
from saga_sr.files.reading import read_audio
from saga_sr.files.writing import write_audio
from saga_sr.inspection.weights import open_weights
from saga_sr.packages.export import export_package
from saga_sr.packages.load import load_model
from saga_sr.packages.package import build, load_package, save_package
from saga_sr.synthesis.dataset import SyntheticAudio

NAME = "backbone.to_tokens.weight"


def train(run: Path, *overrides: str) -> Path:
    settings = ["debug=limit", "callbacks.newest.every=2", "optimizer.lr=0.1", *QUICK, *overrides]
    done = program("train.py", f"hydra.run.dir={run}", *settings)
    assert done.returncode == 0, done.stderr
    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with averaged weights and the checkpoints step-2, step-4 and best."""
    return train(tmp_path_factory.mktemp("averaged") / "run")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same without an average."""
    return train(tmp_path_factory.mktemp("plain") / "run", "ema=none")


def running(run: Path, folder: Path) -> Path:
    """`run` as it was before it ended."""
    shutil.copytree(run, folder, ignore=shutil.ignore_patterns("model", "tensorboard"))
    return folder


def saved(run: Path, step: int, state: str) -> torch.Tensor:
    checkpoint = torch.load(run / f"checkpoints/step-{step}.ckpt", weights_only=True)
    return checkpoint[state][f"model.{NAME}"]


@pytest.mark.slow
def test_a_run_gives_the_weights_asked_for_of_its_newest_checkpoint(run: Path, tmp_path: Path) -> None:
    averaged, raw = saved(run, 4, "state_dict"), saved(run, 4, "current_model_state")
    assert not torch.equal(averaged, raw)
    for kind, expected in ((None, averaged), ("averaged", averaged), ("raw", raw)):
        folder = export_package(run, tmp_path / str(kind), kind)
        assert torch.equal(load_file(folder / "model.safetensors")[NAME], expected)
    # What training itself wrote is what the last checkpoint holds.
    assert torch.equal(load_file(run / "model/model.safetensors")[NAME], averaged)


@pytest.mark.slow
def test_a_checkpoint_gives_a_package_while_training_goes_on(run: Path, tmp_path: Path) -> None:
    going_on = running(run, tmp_path / "run")
    folder = export_package(going_on / "checkpoints/step-2.ckpt", tmp_path / "early")
    assert torch.equal(load_file(folder / "model.safetensors")[NAME], saved(run, 2, "state_dict"))
    best = next((going_on / "checkpoints").glob("best-*.ckpt"))
    assert load_package(export_package(best, tmp_path / "best")).sample_rate == 44_100
    # A damaged newest one has one before it.
    newest = going_on / "checkpoints/step-4.ckpt"
    newest.write_bytes(newest.read_bytes()[:1000])
    folder = export_package(going_on, tmp_path / "before")
    assert "| step | 2 |" in (folder / "README.md").read_text()
    with pytest.raises(SagaError, match=r"step-4\.ckpt cannot be read"):
        export_package(newest, tmp_path / "none")


@pytest.mark.slow
def test_without_an_average_there_are_raw_weights_only(plain: Path, tmp_path: Path) -> None:
    folder = export_package(plain, tmp_path / "m")
    assert torch.equal(load_file(folder / "model.safetensors")[NAME], saved(plain, 4, "state_dict"))
    assert "| weights | raw" in (folder / "README.md").read_text()
    assert "| weights | raw" in (plain / "model/README.md").read_text()
    with pytest.raises(PackageError, match=r"no averaged weights.*ema=none.*weights=raw"):
        export_package(plain, tmp_path / "m", "averaged")


@pytest.mark.slow
def test_the_card_says_what_the_weights_are_and_how_well_they_do(run: Path, tmp_path: Path) -> None:
    early = export_package(run / "checkpoints/step-2.ckpt", tmp_path / "a", "raw", "float16", license="cc0-1.0")
    card = (early / "README.md").read_text()
    head, text = card.removeprefix("---\n").split("\n---\n")[0], card.split("\n---\n")[1]
    assert yaml.safe_load(head)["license"] == "cc0-1.0" and yaml.safe_load(head)["library_name"] == "saga-sr"
    assert "audio-super-resolution" in yaml.safe_load(head)["tags"]
    for line in ("| from | run/step-2.ckpt |", "| step | 2 |", "| weights | raw", "| stored in | float16 |"):
        assert line in text
    assert "not measured" in text  # validation listens to the average
    assert "Synthetic music" in text and "max_steps: 4" in text
    written = (run / "model/README.md").read_text()
    last = (export_package(run, tmp_path / "b") / "README.md").read_text()
    before = (export_package(run / "checkpoints/step-2.ckpt", tmp_path / "c") / "README.md").read_text()
    figures = [[line for line in card.splitlines() if line.startswith("| `")] for card in (before, last, written)]
    assert len(figures[0]) == 6 and figures[1] == figures[2] != figures[0]


@pytest.mark.slow
def test_runs_and_checkpoints_are_models_as_they_are(run: Path, plain: Path, tmp_path: Path) -> None:
    def weight(source: Path) -> torch.Tensor:
        return load_model(source).state_dict()[NAME]

    going_on = running(run, tmp_path / "run")
    averaged = saved(run, 4, "state_dict")
    for source in (run, run / "model", run / "model/model.safetensors", run / "checkpoints/step-4.ckpt", going_on):
        assert torch.equal(weight(source), averaged), source
        assert "for model=PATH" in open_weights(source).recognised
    assert torch.equal(weight(going_on / "checkpoints/step-2.ckpt"), saved(run, 2, "state_dict"))
    assert torch.equal(weight(plain / "checkpoints/step-4.ckpt"), saved(plain, 4, "state_dict"))
    # A checkpoint that was taken out of its run, with the run's settings.
    (tmp_path / "apart").mkdir()
    for name in ("config.yaml", "checkpoints/step-4.ckpt"):
        shutil.copy(run / name, tmp_path / "apart")
    assert torch.equal(weight(tmp_path / "apart/step-4.ckpt"), averaged)


@pytest.mark.slow
def test_a_run_that_has_saved_nothing_and_files_that_are_no_checkpoints_are_named(run: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    for name in ("config.yaml", "run.json"):
        shutil.copy(run / name, tmp_path / "new")
    with pytest.raises(PackageError, match="neither a model nor a checkpoint yet"):
        load_model(tmp_path / "new")
    torch.save({"weights": torch.ones(3)}, tmp_path / "new/other.ckpt")
    with pytest.raises(PackageError, match=r"no checkpoint of a training.*saga-sr inspect"):
        load_model(tmp_path / "new/other.ckpt")
    shutil.copy(run / "checkpoints/step-4.ckpt", tmp_path / "lost.ckpt")
    with pytest.raises(PackageError, match=r"no run around .*lost\.ckpt"):
        load_model(tmp_path / "lost.ckpt")
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["model"]["backbone"]["width"] = 64
    shutil.copy(run / "checkpoints/step-4.ckpt", tmp_path / "new")
    (tmp_path / "new/config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(PackageError, match="does not fit"):
        load_model(tmp_path / "new/step-4.ckpt")


@pytest.mark.slow
def test_no_code_of_a_strangers_run_or_checkpoint_runs(run: Path, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple:
            return os.mkdir, (str(tmp_path / "owned"),)

    stranger = running(run, tmp_path / "run")
    torch.save({"state_dict": {}, "global_step": 4, "evil": Evil()}, stranger / "checkpoints/step-9.ckpt")
    with pytest.raises(SagaError, match="could be code"):
        load_model(stranger / "checkpoints/step-9.ckpt")
    load_model(stranger)  # the one before it
    config = yaml.safe_load((stranger / "config.yaml").read_text())
    config["model"]["sampler"] = {"_target_": "os.mkdir", "path": str(tmp_path / "owned")}
    (stranger / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(PackageError, match=r"asks for 'os\.mkdir'"):
        load_model(stranger)
    assert not (tmp_path / "owned").exists()


@pytest.mark.slow
def test_the_command(run: Path, tmp_path: Path) -> None:
    output = tmp_path / "half"
    words = [f"source={run}", f"output={output}"]
    done = program("-m", "saga_sr", "export", *words, "weights=raw", "dtype=bfloat16", fresh=True)
    assert done.returncode == 0, done.stderr
    assert str(output) in done.stderr and load_file(output / "model.safetensors")[NAME].dtype == torch.bfloat16
    before = (output / "README.md").read_text()
    done = program("-m", "saga_sr", "export", *words, "dtype=int8")
    assert done.returncode == 1 and done.stderr.strip() == (
        "error: dtype=int8 is not known; choose one of float32, bfloat16, float16."
    )
    assert (output / "README.md").read_text() == before


@pytest.mark.slow
def test_enhancing_and_evaluating_take_runs_and_checkpoints(run: Path, tmp_path: Path) -> None:
    audio = SyntheticAudio(9, 9600, 16_000)[2]["hr"]
    write_audio(tmp_path / "a.wav", audio, 16_000)
    results = []
    for model in (run, run / "checkpoints/step-4.ckpt", run / "checkpoints/step-2.ckpt"):
        output = tmp_path / f"{len(results)}.wav"
        done = program("infer.py", f"model={model}", f"input={tmp_path / 'a.wav'}", f"output={output}")
        assert done.returncode == 0, done.stderr
        results.append(read_audio(output)[0])
    assert torch.equal(results[0], results[1]) and not torch.equal(results[1], results[2])
    words = [f"model={run / 'checkpoints/step-4.ckpt'}", f"output={tmp_path / 'e'}", "clips=1", "seconds=0.5"]
    done = program("-m", "saga_sr", "evaluate", *words, "cutoffs_hz=[4000]", "examples=0")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "e/metrics.json").read_text())["seconds"]["train"] > 0


def test_parameters_are_stored_as_asked_and_read_into_float32(package: Path, tmp_path: Path) -> None:
    source = load_package(package).state_dict()
    sizes = {}
    for dtype, precision in (("float32", 0.0), ("bfloat16", 2**-8), ("float16", 2**-10)):
        folder = export_package(package, tmp_path / dtype, dtype=dtype)
        stored = load_file(folder / "model.safetensors")
        assert str(stored[NAME].dtype) == f"torch.{dtype}"
        # Statistics of latents are no weights.
        assert stored["codec.latent_scale"].dtype == torch.float32
        loaded = load_model(folder)
        for name, tensor in loaded.state_dict().items():
            assert tensor.dtype == source[name].dtype
            assert (tensor - source[name]).abs().max() <= precision * source[name].abs().max()
        sizes[dtype] = (folder / "model.safetensors").stat().st_size
        assert f"stored in {dtype}" in (folder / "README.md").read_text()
    assert max(sizes["bfloat16"], sizes["float16"]) < 0.6 * sizes["float32"]


@pytest.mark.parametrize(
    ("dtype", "value", "said"),
    [
        ("float16", 1e5, r"reaches 1e\+05, which float16 cannot hold; export with dtype=bfloat16 or float32"),
        ("float32", float("nan"), "is not finite, so the training has gone wrong"),
    ],
)
def test_weights_that_overflow_or_are_not_finite_are_named(tmp_path: Path, dtype: str, value: float, said: str) -> None:
    config = model_config()
    model = awake(build(config))
    save_package(model, config, tmp_path / "m", "# Old")
    with torch.no_grad():
        model.get_parameter(NAME).view(-1)[3] = value
    with pytest.raises(PackageError, match=f"^{NAME} {said}"):
        save_package(model, config, tmp_path / "m", "# New", getattr(torch, dtype))
    assert (tmp_path / "m/README.md").read_text() == "# Old" and len(list(tmp_path.iterdir())) == 1


def test_a_package_that_is_not_the_model_does_not_take_the_place_of_an_older_one(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(package, tmp_path / "m")

    def damaged(path: str | Path, device: str = "cpu"):
        model = load_package(path, device)
        with torch.no_grad():
            model.get_parameter(NAME).mul_(factor)
        return model

    monkeypatch.setattr("saga_sr.packages.package.load_package", damaged)
    for factor, said in ((1.5, r"differs by .*%"), (float("inf"), "not finite or of another length")):  # noqa: B007
        with pytest.raises(PackageError, match=f"{said}.*was not written"):
            export_package(package, tmp_path / "m")
    assert (tmp_path / "m/README.md").read_text() == "# A card\n" and len(list(tmp_path.iterdir())) == 1
    factor = 1.0
    export_package(package, tmp_path / "m")
    assert "Exported again" in (tmp_path / "m/README.md").read_text()


def test_what_is_no_package_is_not_replaced(package: Path, tmp_path: Path) -> None:
    (tmp_path / "music").mkdir()
    (tmp_path / "music/song.wav").write_text("mine")
    for target in (tmp_path / "music", tmp_path / "music/song.wav"):
        with pytest.raises(PackageError, match=r"song\.wav, which is not a model package's"):
            export_package(package, target)
    assert (tmp_path / "music/song.wav").read_text() == "mine"
    with pytest.raises(ConfigError, match="weights=ema is not known; choose one of averaged, raw"):
        export_package(package, tmp_path / "m", "ema")
    with pytest.raises(ConfigError, match="leave it out"):
        export_package(package, tmp_path / "m", "raw")


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_files_are_for_whom_the_umask_says(tmp_path: Path, umask: int) -> None:
    text = make_text_encoder(tmp_path / "encoder")
    config = model_config("conditioning=text", f"text_encoder={text}", tiny=TINY_SAGA)
    before = os.umask(umask)
    try:
        folder = save_package(awake(build(config)), config, tmp_path / "m", "# Card")
    finally:
        os.umask(before)
    paths = [folder, *folder.rglob("*")]
    assert {"model.safetensors", "conditioner.text"} <= {path.name for path in paths}
    for path in paths:
        mode = 0o777 if path.is_dir() else 0o666
        assert stat.S_IMODE(path.stat().st_mode) == mode & ~umask, path
