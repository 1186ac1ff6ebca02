"""Train the ablation on the built-in data, and make its table and pictures.

    python experiments/saga_small_ablation/study.py outputs/demo/train/model

With the demo's package (`make demo`), with which one picture is drawn.
"""

from __future__ import annotations

import sys
from pathlib import Path

from experiments.saga_small_ablation import text_encoder
from experiments.saga_small_ablation.pictures import STEPS, bright_line, by_step, clips, curves, low_band
from experiments.sweep_study import OUTPUTS, SweepStudy

TEXT_ENCODER = OUTPUTS / "text_encoder"
SETTINGS = {"experiment": ",".join(STEPS), "seed": "0,1"}
FIGURES = {
    "final train/loss": ("training loss", 2),
    "final val/loss": ("validation loss", 3),
    "final val/lsd": ("LSD", 2),
    "final val/lsd_hf": ("LSD-HF", 2),
    "final val/si_sdr": ("SI-SDR (dB)", 1),
}
SMALL = [
    *("codec=mdct", "codec.latent_dim=256", "trainer.accumulate_grad_batches=1"),
    *("optimizer.lr=1e-3", "scheduler=cosine", "ema=fast"),
]
STUDY = SweepStudy(
    Path(__file__).with_name("README.md"),
    "saga_small_ablation",
    SETTINGS,
    [
        *(
            *SMALL,
            "data.num_samples=32768",
            "data.batch_size=16",
            "trainer.max_steps=1000",
            "trainer.val_check_interval=250",
            "sampler.steps=16",
        ),
        *("backbone=saga_small", "backbone.width=256", "backbone.depth=4", "backbone.heads=4"),
        *("backbone.cross_attention_width=256", f"text_encoder={TEXT_ENCODER}"),
    ],
    {"experiment": "step"},
    FIGURES,
)


def main(demo: Path) -> None:
    text_encoder.main(TEXT_ENCODER)
    STUDY.train()
    STUDY.table()
    runs = by_step(OUTPUTS / STUDY.name)
    curves(runs, "curves.png")
    clips(runs, "clips.png")
    low_band(runs["saga_small_step2", "0"].folder / "model")
    bright_line(demo)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
