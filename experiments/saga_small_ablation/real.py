"""Train the ablation on real sound, and make its table and pictures.

    python experiments/saga_small_ablation/real.py CORPUS

CORPUS is what experiments/bundled/corpus.py makes. A few minutes of it are encoded once, and all runs read the latents.
"""

from __future__ import annotations

import sys
from pathlib import Path

from experiments import corpus_subset
from experiments.saga_small_ablation import text_encoder
from experiments.saga_small_ablation.pictures import by_step, clips, curves
from experiments.saga_small_ablation.study import FIGURES, SETTINGS, SMALL
from experiments.sweep_study import OUTPUTS, SweepStudy, saga_sr

RECORDINGS, LATENTS, TEXT_ENCODER = (OUTPUTS / name for name in ("corpus_subset", "mdct_latents", "text_encoder_kinds"))
STUDY = SweepStudy(
    Path(__file__).with_name("README.md"),
    "saga_small_ablation_real",
    SETTINGS,
    [
        *(
            *SMALL,
            "data=latents",
            f"data.path={LATENTS}",
            "data.num_samples=16384",
            "data.batch_size=8",
            "data.num_workers=1",
        ),
        *("trainer.max_steps=600", "trainer.val_check_interval=200", "validation.validation_batches=4"),
        *("sampler.steps=8", "backbone=saga_small", "backbone.width=128", "backbone.depth=3", "backbone.heads=2"),
        *("backbone.cross_attention_width=128", f"text_encoder={TEXT_ENCODER}"),
    ],
    {"experiment": "step"},
    FIGURES,
    "real.csv",
)


def main(corpus: Path) -> None:
    corpus_subset.main(corpus, RECORDINGS, 5.0, 2.0)
    text_encoder.main(TEXT_ENCODER, RECORDINGS / "train.tsv")
    lists = (f"data.path={RECORDINGS}/train.tsv", f"data.validation_path={RECORDINGS}/validation.tsv")
    saga_sr("prepare", "codec=mdct", "codec.latent_dim=256", *lists, f"output={LATENTS}", "num_samples=65536")
    STUDY.train()
    STUDY.table()
    runs = by_step(OUTPUTS / STUDY.name)
    curves(runs, "real_curves.png")
    clips(runs, "real_clips.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
