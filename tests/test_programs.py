"""The real entry points, as a user starts them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from conftest import QUICK
from programs import ROOT, changed, environment, program
from text_encoder import make_text_encoder

from saga_sr.evaluation.invariance_figures import FIGURES
from saga_sr.files.reading import inspect_audio
from saga_sr.files.writing import write_audio
from saga_sr.synthesis.dataset import SyntheticAudio

pytestmark = pytest.mark.slow
RATE = 44_100
LIMITED = ["experiment=demo", "debug=limit", *changed(QUICK, "logger=csv_tensorboard")]


def refused(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    """One sentence on stderr, a non-zero exit, and no traceback."""
    assert done.returncode != 0
    assert "Traceback" not in done.stderr and "Traceback" not in done.stdout
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ") and all(part in last for part in parts), done.stderr


def train(folder: Path, *more: str) -> str:
    """Start training as a user does; what is printed."""
    variables = {name: value for name, value in environment().items() if name != "PYTHONWARNINGS"}
    command = [sys.executable, "train.py", *LIMITED, f"hydra.run.dir={folder}", *more]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=variables, timeout=300)
    assert done.returncode == 0 and done.stderr.strip() == "", done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run's folder, and what was printed as it was trained."""
    folder = tmp_path_factory.mktemp("run")
    return folder, train(folder)


@pytest.fixture(scope="module")
def trained(begun: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run as it was then."""
    return shutil.copytree(begun[0], tmp_path_factory.mktemp("trained") / "run")


def recording(path: Path, seconds: float = 0.6, rate: int = 16_000, channels: int = 1) -> Path:
    audio = SyntheticAudio(9, int(seconds * rate), rate)[2]["hr"].expand(channels, -1)
    write_audio(path, audio, rate)
    return path


@pytest.mark.usefixtures("trained")
def test_a_run_says_each_line_once_and_warns_of_nothing(begun: tuple[Path, str]) -> None:
    """As a user starts it: begun, gone on with."""
    run, first = begun
    record = run / "run.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"status": "stopped"}))
    for said in (first, train(run, "trainer.max_steps=7", "scheduler.total_steps=4")):
        # Bars are drawn again and again.
        lines = [line for line in re.split(r"[\r\n]+", said) if "it/s" not in line and "clip/s" not in line]
        lines = [re.sub(r"^\[.*?\]", "", line).strip() for line in lines]
        lines = [line for line in lines if re.search(r"\w{3}", line)]
        assert len(lines) == len(set(lines)) and any("Training 0." in line for line in lines), lines
        assert not [line for line in lines if re.search("(?i)warn|deprecat|lightning|^INFO", line)], lines


def test_training_leaves_a_package_logs_checkpoints_and_a_card(trained: Path) -> None:
    for name in (
        "model/config.yaml",
        "model/model.safetensors",
        "csv/metrics.csv",
        "checkpoints/step-4.ckpt",
        "config.yaml",
    ):
        assert (trained / name).is_file(), name
    assert any((trained / "tensorboard").iterdir()) and any((trained / "checkpoints").glob("best-*.ckpt"))
    assert json.loads((trained / "run.json").read_text())["steps"] == 4
    card = (trained / "model/README.md").read_text()
    assert "val/lsd_hf" in card and "Synthetic" in card and "max_steps: 4" in card
    log = (trained / "csv/metrics.csv").read_text()
    assert all(
        name in log for name in ("train/loss", "train/gradient_norm", "val/loss", "val/lsd", "val/si_sdr", "lr-")
    )


def test_the_package_does_not_hold_the_last_raw_weights_but_their_average(trained: Path) -> None:
    from safetensors.torch import load_file

    checkpoint = torch.load(trained / "checkpoints/step-4.ckpt", weights_only=True)
    averaged = load_file(trained / "model/model.safetensors")
    name = "backbone.to_tokens.weight"
    assert not torch.equal(checkpoint["current_model_state"][f"model.{name}"], averaged[name])


def test_evaluation_writes_metrics_report_and_audio(trained: Path, tmp_path: Path) -> None:
    done = program(
        "-m",
        "saga_sr",
        "evaluate",
        f"model={trained / 'model'}",
        f"output={tmp_path}",
        "clips=3",
        "seconds=0.5",
        "examples=1",
        fresh=True,
    )
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["clips"] == 3 and set(metrics["cutoffs"]) == {"4000", "8000"}
    assert set(metrics["cutoffs"]["4000"]["lsd_hf"]) == {"input", "band_replication", "output", "ceiling"}
    assert set(metrics["seconds"]) == {"train", "evaluate"} and metrics["seconds"]["train"] > 0
    figures = metrics["invariances"]
    assert set(figures) == {"4000", "8000"} and set(figures["4000"]) == set(FIGURES)
    for name in ("polarity_error_db", "pan_db", "dual_mono_db", "empty_channel_peak", "swap_error_db"):
        assert FIGURES[name].is_right(figures["4000"][name]), name
    assert len((tmp_path / "invariances.csv").read_text().splitlines()) == 1 + 2 * 2
    for title in (figure.title for figure in FIGURES.values()):
        assert title in done.stderr and title in (tmp_path / "summary.txt").read_text(encoding="utf-8")
        assert title in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert (tmp_path / "report.html").stat().st_size > 50_000 and "Report:" in done.stderr
    assert inspect_audio(tmp_path / "audio/01_4000_input.flac").sample_rate == RATE


def test_training_on_a_folder(tmp_path: Path) -> None:
    for i in range(3):
        recording(tmp_path / f"my music/{i}.wav", rate=RATE)
    (tmp_path / "my music/broken.wav").write_text("no audio")
    settings = [s for s in QUICK if "pool" not in s]
    done = program(
        "train.py", "experiment=demo", "debug=limit", "data=folder", "data.num_workers=1",
        f"data.path='{tmp_path / 'my music'}'", f"hydra.run.dir={tmp_path / 'run'}", *settings,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "1 of 4 files are left out" in done.stderr + done.stdout
    assert "2 recordings" in (tmp_path / "run/model/README.md").read_text()


def test_enhancing_a_folder_skips_names_and_counts_what_cannot_be_read(trained: Path, tmp_path: Path) -> None:
    recording(tmp_path / "in/a.wav")
    recording(tmp_path / "in/a.flac", channels=2)
    recording(tmp_path / "in/deep/b.ogg", rate=22_050)
    (tmp_path / "in/bad.wav").write_text("no audio")
    folders = [f"input={tmp_path / 'in'}", f"output={tmp_path / 'out'}"]
    done = program("infer.py", f"model={trained / 'model'}", *folders, fresh=True)
    refused(done, "1 of 4 files", "bad.wav")
    written = {str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.flac")}
    assert written == {"a.wav.flac", "a.flac.flac", "deep/b.flac"}
    assert inspect_audio(tmp_path / "out/a.flac.flac").channels == 2


def test_enhancing_twice_gives_the_same_file_and_overrides_count(trained: Path, tmp_path: Path) -> None:
    source = recording(tmp_path / "a.wav")
    outputs = []
    for extra in ([], [], ["seed=1"], ["sampler.steps=5"]):
        done = program(
            "infer.py",
            f"model={trained / 'model'}",
            f"input={source}",
            f"output={tmp_path / 'o.wav'}",
            *extra,
        )
        assert done.returncode == 0, done.stderr
        outputs.append((tmp_path / "o.wav").read_bytes())
    assert outputs[0] == outputs[1] and len(set(outputs)) == 3


@pytest.fixture(scope="module")
def saga(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the ablation's third step, with a text encoder made on the spot."""
    folder = tmp_path_factory.mktemp("saga")
    text = make_text_encoder(folder / "encoder", 16)
    settings = [s for s in QUICK if "kv_heads" not in s]
    done = program(
        "train.py", "experiment=saga_small_step3", "codec=mdct", f"text_encoder={text}", "debug=limit",
        "backbone.cross_attention_width=16", "trainer.accumulate_grad_batches=1", "optimizer.lr=1", *settings,
        f"hydra.run.dir={folder / 'run'}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "run"


def test_a_saga_package_enhances_by_prompt_and_rolloff(saga: Path, tmp_path: Path) -> None:
    source = recording(tmp_path / "x.wav", channels=2)
    outputs = []
    for prompt, rolloff in (("", 1.0), ("a dog, barking (loud) = it's near", 1.0), ("", 0.5)):
        done = program(
            "infer.py", f"model={saga / 'model'}", f"input={source}", f"output={tmp_path / 'y.wav'}",
            f"prompt={prompt}", f"rolloff={rolloff}", "guidance.text=3",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        outputs.append((tmp_path / "y.wav").read_bytes())
    assert len(set(outputs)) == 3
    ask = ("infer.py", f"model={saga / 'model'}", f"input={source}", f"output={tmp_path / 'y.wav'}")
    done = program(*ask, f"prompt={'雨' * 10_000}")
    assert done.returncode == 0 and "does not know" in done.stderr and len(done.stderr) < 3000
    refused(program(*ask, "rolloff=2"), "rolloff=2.0 must lie above 0")


def test_a_saga_package_is_evaluated_with_the_clips_captions(saga: Path, tmp_path: Path) -> None:
    done = program(
        "-m", "saga_sr", "evaluate", f"model={saga / 'model'}", f"output={tmp_path}", "clips=2", "seconds=1",
        "cutoffs_hz=[4000]", "rolloff=0.9", "guidance.kind=parallel",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "metrics.json").read_text())["clips"] == 2


def test_bad_input_is_answered_in_one_sentence(trained: Path, tmp_path: Path) -> None:
    model, source = f"model={trained / 'model'}", recording(tmp_path / "a.wav")
    target = tmp_path / "target.wav"
    target.write_text("precious")

    def infer(*arguments: str) -> subprocess.CompletedProcess[str]:
        return program("infer.py", *arguments, f"output={target}")

    refused(infer(model, f"input={tmp_path / 'none.wav'}"), "none.wav", "There is no file")
    refused(infer(f"model={tmp_path}", f"input={source}"), "config.yaml")
    refused(infer(model, f"input={source}", "sampler.solver=rk4"), "choose one of euler", "midpoint, heun")
    refused(infer(model, f"input={source}", "sampler.steps=0"), "at least 1")
    refused(infer(model, f"input={source}", "device=tpu9"), "tpu9")
    refused(infer(model, f"input={source}", "prompt=a dog, barking"), "trained without text")
    refused(infer(model, f"input={source}", "rolloff=0.9"), "trained without rolloff")
    refused(infer(model, f"input={source}", "guidance.scale=2"), "trained without dropping its conditions")
    refused(infer(model, f"input={source}", "guidance.text=2"), "not a scale of ClassifierFree, which has scale")
    truncated = tmp_path / "truncated"
    shutil.copytree(trained / "model", truncated)
    (truncated / "model.safetensors").write_bytes((truncated / "model.safetensors").read_bytes()[:999])
    refused(infer(f"model={truncated}", f"input={source}"), "truncated")
    evil = tmp_path / "evil"
    shutil.copytree(trained / "model", evil)
    config = yaml.safe_load((evil / "config.yaml").read_text())
    config["model"]["sampler"] = {"_target_": "os.system", "command": f"touch {tmp_path / 'owned'}"}
    (evil / "config.yaml").write_text(yaml.safe_dump(config))
    refused(infer(f"model={evil}", f"input={source}"), "os.system")
    assert not (tmp_path / "owned").exists()
    assert target.read_text() == "precious"


@pytest.mark.parametrize(
    ("overrides", "parts"),
    [
        (["backbone.width=250"], ["backbone.width=250", "multiple of"]),
        (["objective.time=beta"], ["uniform, logit_normal"]),
        (["data=folder", "data.path=/nowhere"], ["/nowhere"]),
        (["data=folder"], ["data.path"]),
        (["experiment=saga_small_step1", "codec=mdct"], ["text_encoder is required"]),
        (["experiment=saga_small_step1", "codec=mdct", "text_encoder=/none"], ["There is no text encoder at /none"]),
        (["experiment=saga_small_step0", "codec.path=/none"], ["There is no folder /none"]),
        (["conditioning=rolloff"], ["JaT attends to none"]),
        (["backbone=saga_small", "init_from=/none"], ["There are no weights at /none"]),
        (["init_from=/none"], ["need backbone=saga_small or saga_full"]),
        (["low_band=soft"], ["crossfade, hard"]),
        (["loss=gaussian_nll", "backbone.head=linear"], ["backbone.head=gaussian"]),
        (["degradation.kinds=[cauer]"], ["chebyshev1, butterworth"]),
    ],
)
def test_bad_settings_are_answered_before_anything_slow_starts(
    tmp_path: Path, overrides: list[str], parts: list[str]
) -> None:
    refused(program("train.py", f"hydra.run.dir={tmp_path / 'run'}", *overrides), *parts)


def test_unknown_names_are_answered_with_the_valid_ones(tmp_path: Path) -> None:
    for override, *parts in (
        ("backbone=unet", "no backbone=unet", "jat_tiny, jat_v2, jat_v3"),
        ("backbone.wdith=3", "no setting backbone.wdith", "the nearest is backbone.width"),
        ("optimiser=adamw", "no setting optimiser", "the nearest is optimizer"),
        ("trainer.max_steps=many", "trainer.max_steps='many' is not a whole number"),
        ("trainer.max_steps=[1", "[1"),
        ("objective.time=gaussian", "uniform, logit_normal"),
        ("trainer.precision=bf17", "bf16-mixed"),
        ("trainer.devices=0", "give a number from 1"),
    ):
        refused(program("train.py", override, f"hydra.run.dir={tmp_path}"), *parts)


def test_help_lists_the_groups_and_the_whole_configuration_can_be_printed() -> None:
    done = program("train.py", "--help")
    assert done.returncode == 0
    for line in (
        "loss: gaussian_nll, log_level, mod1, mod2, mse",
        "trainer: cpu, ddp, default, fsdp, gpu",
        "hparams_search: optuna",
    ):
        assert line in done.stdout, line
    done = program("train.py", "experiment=demo", "--cfg", "job", "--resolve")
    assert done.returncode == 0 and "latent_dim: 512" in done.stdout and "${" not in done.stdout
