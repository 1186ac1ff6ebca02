"""How long training stands still for a checkpoint of weights that are shared out over processes: written at once, and
while training goes on.

    python benchmarks/checkpoints.py

Each is a real run of two processes on this machine (trainer=fsdp), with the average and the optimiser's moments; they
are forks of this one.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

import saga_sr.training.run  # noqa: F401  # once, for all processes
from saga_sr.cli.main import main as train


class Stopwatch(Callback):
    """Notes for each save how long the training loop stood still, and for each step how long it took, in `file`."""

    def __init__(self, file: str) -> None:
        self.file = Path(file)
        self.began = 0.0

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        save = trainer.save_checkpoint

        def timed(*arguments: Any, **settings: Any) -> None:
            began = time.perf_counter()
            save(*arguments, **settings)
            self._note(trainer, "save", time.perf_counter() - began)
            self.began = time.perf_counter()

        trainer.save_checkpoint = timed  # type: ignore[method-assign]

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self.began = time.perf_counter()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._note(trainer, "step", time.perf_counter() - self.began)

    def _note(self, trainer: lightning.Trainer, what: str, seconds: float) -> None:
        if trainer.is_global_zero:
            with self.file.open("a") as file:
                file.write(f"{what} {seconds}\n")


def run(folder: Path, asynchronous: bool, width: int, depth: int, saves: int, every: int) -> dict[str, list[float]]:
    """Seconds of each save and each step of a run, and the bytes of its last checkpoint."""
    notes = folder / "notes"
    notes.parent.mkdir(parents=True)
    words = [
        *("experiment=demo", "trainer=fsdp", "trainer.devices=2", "trainer.accelerator=cpu", "ema=fast"),
        *("trainer.precision=32-true", f"trainer.strategy.asynchronous={asynchronous}", "logger=csv"),
        *(f"backbone.width={width}", f"backbone.depth={depth}", "backbone.heads=8", "backbone.kv_heads=8"),
        *("data.num_samples=8192", "data.batch_size=1", "data.pool_clips=4", "data.pool_seconds=1"),
        *("data.validation_size=2", "statistics_clips=4", "sampler.steps=1", "validation.validation_batches=0"),
        *(f"trainer.max_steps={saves * every + 1}", "trainer.val_check_interval=100000", "callbacks.best=null"),
        *(f"callbacks.newest.every={every}", "callbacks.newest.first_after_s=1000000", "callbacks.progress=null"),
        *("+callbacks.stopwatch._target_=checkpoints.Stopwatch", f"+callbacks.stopwatch.file={notes}"),
        f"hydra.run.dir={folder / 'run'}",
    ]
    ranks = LaunchConfig(
        min_nodes=1, max_nodes=1, nproc_per_node=2, max_restarts=0, run_id=folder.name, start_method="fork",
        rdzv_backend="c10d", rdzv_endpoint="localhost:0",
    )  # fmt: skip
    elastic_launch(ranks, train)(["train", *words])
    found: dict[str, list[float]] = {"save": [], "step": []}
    for line in notes.read_text().splitlines():
        what, seconds = line.split()
        found[what].append(float(seconds))
    newest = max((folder / "run/checkpoints").glob("step-*.ckpt"), key=lambda path: path.stat().st_mtime)
    found["bytes"] = [float(sum(path.stat().st_size for path in newest.iterdir()))]
    return found


def main() -> None:
    """Print a row for each way of saving, its runs in turn with the other's, and their ratios turn by turn.

    The last save of a run, which nothing overlaps with, is left out.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--depth", type=int, default=6)
    parser.add_argument("--saves", type=int, default=5)
    parser.add_argument("--every", type=int, default=4)
    parser.add_argument("--turns", type=int, default=5)
    wanted = parser.parse_args()
    ways = {"written at once": False, "in the background": True}
    stands: dict[str, list[float]] = {name: [] for name in ways}
    steps: dict[str, list[float]] = {name: [] for name in ways}
    size = 0.0
    with tempfile.TemporaryDirectory() as place:
        for turn in range(wanted.turns):
            for name, asynchronous in ways.items():
                folder = Path(place) / f"{name} {turn}"
                found = run(folder, asynchronous, wanted.width, wanted.depth, wanted.saves, wanted.every)
                stands[name].append(statistics.median(found["save"][: wanted.saves]))
                steps[name].append(statistics.median(found["step"]))
                size = found["bytes"][0]
                shutil.rmtree(folder)
    print(f"{size / 1e6:.0f} MB, {wanted.turns} runs each of {wanted.saves} saves; medians, from-to")
    print("| checkpoints | stands still | step |")
    print("|---|---|---|")
    for name in ways:
        print(f"| {name} | {told(stands[name])} s | {told(steps[name])} s |")
    pairs = [[b / a for a, b in zip(*kind.values(), strict=True)] for kind in (stands, steps)]
    print(f"| the second of the first | {told(pairs[0])} | {told(pairs[1])} |")


def told(values: list[float]) -> str:
    """Median, and from-to."""
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


if __name__ == "__main__":
    main()
