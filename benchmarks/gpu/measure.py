"""Speed and memory on the accelerator that is here, as JSON and as a table; `--tiny` tries all of it on any machine.

benchmarks/gpu/run [--tiny] [--out FOLDER]

Networks have fresh weights and random latents and conditions, since neither changes their speed: no weights are needed.
What fails says why in its row, and the rest goes on.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import Tensor

from saga_sr.backbones.backbone import Backbone
from saga_sr.cli.settings import read_known
from saga_sr.core.atomic_file import write_atomically
from saga_sr.core.hardware import pick_device
from saga_sr.files.writing import write_audio
from saga_sr.inference.enhancer import Enhancer
from saga_sr.inspection.cost import cost, step_flops
from saga_sr.inspection.outline import Outline, outline
from saga_sr.packages.load import load_model

RECIPES = {"jat_v2": 28, "jat_v3": 14, "saga_small_step3": 32, "saga_full": 8}  # examples a step
TINY = ["backbone.width=64", "backbone.depth=2", "backbone.heads=2"]
TINIER = {"jat": ["backbone.kv_heads=1"], "saga": ["backbone.cross_attention_width=32"]}
# Dense bfloat16 operations a second, by what PyTorch calls the device; from the makers' data sheets.
PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "4090": 165e12}
RATE = 44_100
ROOT = Path(__file__).resolve().parents[2]
Rows = list[dict[str, Any]]


def recipe(name: str, batch: int, tiny: bool) -> DictConfig:
    """A recipe's settings, with what inspecting it asks for."""
    words = [f"experiment={name}", "text_encoder=null", f"data.batch_size={1 if tiny else batch}"]
    if tiny:
        words += [*TINY, *TINIER[name.partition("_")[0]], "data.num_samples=16384"]
    return read_known("inspect", words).config


def timed(work: Callable[[], object], device: torch.device, turns: int) -> float:
    """Median of the seconds that `work` takes, after two turns that do not count."""
    seconds = []
    for turn in range(turns + 2):
        _settle(device)
        begin = time.perf_counter()
        work()
        _settle(device)
        if turn >= 2:
            seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds)


def _settle(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def conditions(plan: Outline, z_lr: Tensor) -> Any:
    """What the backbone is conditioned on: `z_lr` [b, c, frame], and random numbers of the rest's shapes."""
    described = plan.described
    parts = {
        name: torch.randn(len(z_lr), *getattr(described, name).shape[1:], device=z_lr.device)
        for name in described.parts - {"concat", "cross_attention_mask"}
    }
    return replace(described, concat=z_lr, cross_attention_mask=None, keys_values=(), **parts)


def training(device: torch.device, tiny: bool, turns: int) -> Rows:
    """A training step with AdamW of each recipe's network, plain and compiled, beside what inspecting says."""
    rows = []
    for name, batch in RECIPES.items():
        config = recipe(name, batch, tiny)
        plan, said = outline(config), cost(config)
        batch, frames = config.data.batch_size, plan.frames(int(config.data.num_samples))
        operations = step_flops(plan, plan.backbone_on("cpu"), frames)[1] * batch
        for compiled in (False, True) if device.type == "cuda" else (False,):
            backbone: Backbone = instantiate(config.backbone).to(device).train()
            if compiled:
                backbone.compile(dynamic=False)
            step = stepping(plan, backbone, config, batch, frames, device)
            if device.type == "cuda":
                torch.cuda.reset_peak_memory_stats(device)
            seconds = timed(step, device, turns)
            row = {
                "what": f"{name}: training step of {batch}{', compiled' if compiled else ''}",
                "ms": 1000 * seconds,
                "MFU": operations / seconds / peak(device) if peak(device) else None,
                "x real time": batch * said.clip_s / seconds,
            }
            if device.type == "cuda":
                row["GiB"] = torch.cuda.max_memory_allocated(device) / 2**30
                row["GiB by inspect"] = sum(said.training_memory.values()) / 2**30
            rows.append(row)
            del backbone, step
    return rows


def stepping(
    plan: Outline, backbone: Backbone, config: DictConfig, batch: int, frames: int, device: torch.device
) -> Callable[[], None]:
    """A step of the optimizer in bfloat16."""
    optimizer = instantiate(config.optimizer)(backbone.parameters())
    z_hr, z_lr = (torch.randn(batch, backbone.latent_dim, frames, device=device) for _ in range(2))
    given, objective = conditions(plan, z_lr), plan.model.objective

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16):
            example = objective.corrupt(z_hr)
            prediction = backbone(example.z_t, example.t, given)
            estimate = objective.estimate(prediction.value, example, z_lr, prediction.variance)
            loss = torch.stack(list(plan.loss(estimate).values())).sum()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def peak(device: torch.device) -> float | None:
    """Operations a second that the device's maker names; None where it is not known."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else ""
    return next((flops for known, flops in PEAKS.items() if known in name), None)


def enhancing(device: torch.device, tiny: bool, turns: int) -> Rows:
    """The bundled model on noise that swings, in stereo: how fast, and how far from the CPU's result."""
    seconds = 4 if tiny else 60
    generator = torch.Generator().manual_seed(0)
    audio = 0.1 * torch.randn(2, seconds * RATE, generator=generator)
    rows: Rows = []
    model = load_model(None)
    for preset in ("fast", "balanced"):
        enhancer = Enhancer(load_model(None).to(device))
        took = timed(lambda on=enhancer, by=preset: on(audio, RATE, cutoff_hz=8000, preset=by), device, turns)
        rows.append({"what": f"bundled model, {preset}, stereo", "ms": 1000 * took, "x real time": seconds / took})
    outputs = []
    for place in ("cpu", device):
        exact = model.to(place)
        exact.mixed_precision = False
        outputs.append(torch.as_tensor(Enhancer(exact)(audio[:, : 4 * RATE], RATE, cutoff_hz=8000)[0]).cpu())
    difference = (outputs[0] - outputs[1]).abs().max() / outputs[0].abs().max()
    rows.append({"what": "bundled model in float32, CPU against device", "difference": float(difference)})
    return rows


def programs(tiny: bool) -> Rows:
    """Preparation by the command, and SAGA's transformer beside stable-audio-tools', each as a program of its own."""
    rows: Rows = []
    with TemporaryDirectory() as name:
        if find_spec("litdata") is not None:
            count, clips = 2 if tiny else 256, Path(name) / "clips"
            clips.mkdir()
            for i in range(count):
                write_audio(clips / f"{i}.flac", 0.1 * torch.randn(1, 10 * RATE), RATE)
            words = [f"data.path={clips}", "codec=mdct", f"output={name}/latents"]
            rows.append(_program(f"saga-sr prepare, {count} files of 10 s", ["-m", "saga_sr", "prepare", *words]))
    if find_spec("stable_audio_tools") is None:
        rows.append({"what": "stable-audio-tools beside it", "why not": "it is not installed"})
    elif not tiny:
        rows.append(_program("benchmarks/saga.py small full", ["benchmarks/saga.py", "small", "full"]))
    return rows


def _program(what: str, words: list[str]) -> dict[str, Any]:
    begin = time.perf_counter()
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    row: dict[str, Any] = {"what": what, "ms": 1000 * (time.perf_counter() - begin)}
    if done.returncode:
        return row | {"why not": (done.stderr.strip() or "it failed").splitlines()[-1]}
    return row | ({"printed": done.stdout} if "|" in done.stdout else {})


def tried(part: Callable[..., Rows], *given: Any) -> Rows:
    """A part's rows, or one that says why there are none."""
    try:
        return part(*given)
    except Exception as error:
        return [{"what": part.__name__, "why not": f"{type(error).__name__}: {error}"}]


def table(rows: Rows) -> str:
    """The rows in Markdown."""
    columns = list(dict.fromkeys(name for row in rows for name in row if name != "printed"))
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for row in rows:
        cells = (row.get(name) for name in columns)
        shown = ["" if cell is None else f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in cells]
        lines.append("| " + " | ".join(shown) + " |")
    return "\n".join([*lines, "", *(row["printed"] for row in rows if "printed" in row)])


def main(tiny: bool, out: Path) -> int:
    """Measure all, and write `gpu.json` and `gpu.md`; 1 if any part failed."""
    device, turns = pick_device(), 1 if tiny else 7
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    begin = time.perf_counter()
    rows = tried(training, device, tiny, turns) + tried(enhancing, device, tiny, turns) + tried(programs, tiny)
    spent = time.perf_counter() - begin
    facts = {"device": name, "torch": torch.__version__, "tiny": tiny, "seconds": spent, "rows": rows}
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / "gpu.json", json.dumps(facts, indent=2))
    text = f"{name}, torch {torch.__version__}, medians of {turns}, {spent:.0f} s in all{', tiny' if tiny else ''}.\n\n"
    write_atomically(out / "gpu.md", text + table(rows) + "\n")
    print((out / "gpu.md").read_text())
    return int(any("why not" in row and row["why not"] != "it is not installed" for row in rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("outputs/gpu"))
    given = parser.parse_args()
    sys.exit(main(given.tiny, given.out))
