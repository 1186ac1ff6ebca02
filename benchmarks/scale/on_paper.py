"""What a corpus of 100,000 hours and 64 GPUs would need, on paper: `python benchmarks/scale/on_paper.py`.

Operations and sizes are those that `saga-sr inspect` counts; what machines do is assumed below, with its sources. What
failures are expected to cost is compared with a simulation of them.
"""

from __future__ import annotations

import math

import numpy as np

from saga_sr.cli.settings import read_known
from saga_sr.inspection.cost import cost

HOURS, GPUS, PER_NODE = 100_000, 64, 8
PEAK_FLOPS, MFU = 989e12, 0.5  # an H100's dense bfloat16, and the share of it that is the aim
VERSIONS = 3  # of a clip: the whole band, and two low-passed
FLOAT16, SHARD_MB = 2, 64
DISK_BYTES_PER_S = 1e9  # of a node's share of a network disk
# 419 interruptions in 54 days of 16,384 GPUs: Grattafiori et al., "The Llama 3 Herd of Models" (2024), section 3.3.4.
HOURS_BETWEEN_FAILURES = 54 * 24 * 16_384 / 419 / GPUS
RESTART_S = 300.0  # until the first step after a failure
RECIPES = ("jat_v2", "jat_v3", "saga_full")
EPOCHS = 50


def figures(recipe: str) -> list[str]:
    """The row of a recipe."""
    found = cost(read_known("inspect", [f"experiment={recipe}", "text_encoder=null"]).config)
    bytes_per_s = found.latent_dim * found.tokens * FLOAT16 * VERSIONS
    corpus_s = 3600.0 * HOURS
    # A batch reads one version beside the whole band.
    heard_per_s = MFU * PEAK_FLOPS / found.training
    node_mb_per_s = PER_NODE * heard_per_s * bytes_per_s * 2 / VERSIONS / 1e6
    days = EPOCHS * corpus_s / (GPUS * heard_per_s) / 86_400
    parameters = sum(found.parameters.values())
    checkpoint_s = 16 * parameters / DISK_BYTES_PER_S  # weights, two moments, average, in float32
    best_s = interval(checkpoint_s)
    share = lost(checkpoint_s, best_s)
    return [
        recipe,
        f"{corpus_s * bytes_per_s / 1e12:.1f} TB in {corpus_s * bytes_per_s / 1e6 / SHARD_MB:,.0f} shards",
        f"{heard_per_s:,.0f} s",
        f"{node_mb_per_s:,.0f} MB/s",
        f"{days:.1f} days",
        f"{16 * parameters / 1e9:.1f} GB, {checkpoint_s:.0f} s, every {best_s / 60:.0f} min",
        f"{days * 24 / HOURS_BETWEEN_FAILURES:.1f}",
        f"{100 * share:.2f} %",
        f"{100 * simulated(checkpoint_s, best_s):.2f} %",
    ]


def interval(checkpoint_s: float) -> float:
    """The time between checkpoints that loses least, in seconds: Young (1974), "A first order approximation"."""
    return math.sqrt(2 * checkpoint_s * 3600 * HOURS_BETWEEN_FAILURES)


def lost(checkpoint_s: float, between_s: float) -> float:
    """Expected share of the time that goes into saving, work done twice, and restarts."""
    return checkpoint_s / between_s + (between_s / 2 + RESTART_S) / (3600 * HOURS_BETWEEN_FAILURES)


def simulated(checkpoint_s: float, between_s: float, failures: int = 4000) -> float:
    """The same by failures that come at random."""
    rng = np.random.default_rng(0)
    spent = worked = 0.0
    for up_s in rng.exponential(3600 * HOURS_BETWEEN_FAILURES, failures):
        spent += up_s + RESTART_S
        worked += between_s * (up_s // (between_s + checkpoint_s))
    return 1 - worked / spent


def main() -> None:
    """The table."""
    head = [
        "recipe", "latents", "audio a GPU hears in a second", "a node of 8 reads", f"{EPOCHS} epochs",
        "checkpoint", "failures", "lost to them", "simulated",
    ]  # fmt: skip
    print(f"{HOURS:,} h, {GPUS} GPUs; a failure every {HOURS_BETWEEN_FAILURES:.0f} h.\n")
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for recipe in RECIPES:
        print("| " + " | ".join(figures(recipe)) + " |")


if __name__ == "__main__":
    main()
