"""Train JaT with each loss in the latents of a small DAC, and make the tables and pictures of that part of the study.

    python experiments/jat_losses/latents.py CORPUS

CORPUS is what experiments/bundled/corpus.py makes. The DAC is trained first (autoencoder.py), a few minutes of the
corpus are encoded once, and all runs read the latents. With `--dac FOLDER` a DAC is taken that is there.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from experiments import corpus_subset
from experiments.jat_losses import autoencoder, latent_bands, pictures
from experiments.sweep_study import FIGURES, OUTPUTS, SweepStudy, saga_sr

RECORDINGS, LATENTS, MINUTES, HELD_OUT = OUTPUTS / "corpus_subset", OUTPUTS / "dac_latents", 5.0, 2.0
DEGRADATION = ["degradation.cutoff_hz=[3500,9000]", "degradation.order=[6,10]"]


def codec(dac: Path) -> list[str]:
    return ["codec=dac", f"codec.path={dac}", f"codec.latent_dim={latent_bands.LATENT_DIM}"]


def study(dac: Path) -> SweepStudy:
    return SweepStudy(
        Path(__file__).with_name("README.md"),
        "jat_losses_dac",
        {"loss": "mse,mod1,mod2", "seed": "1,2"},
        [
            *("experiment=demo", *codec(dac), *DEGRADATION, "data=latents", f"data.path={LATENTS}"),
            *("data.num_samples=32768", "data.batch_size=16", "data.num_workers=0", "backbone.head=linear"),
            *("backbone.levels=false", "backbone.width=256", "backbone.depth=3", "backbone.heads=4"),
            *("backbone.kv_heads=4", "sampler=euler", "sampler.steps=10", "sampler.noise=gaussian"),
            *("trainer.max_steps=500", "trainer.max_time=null", "trainer.val_check_interval=125"),
        ],
        {"loss": "loss"},
        FIGURES,
        "latents.csv",
    )


def main(corpus: Path, dac: Path | None) -> None:
    if dac is None:
        dac = OUTPUTS / "dac"
        autoencoder.main(corpus, dac, autoencoder.STEPS)
    latent_bands.main(corpus, str(dac))
    corpus_subset.main(corpus, RECORDINGS, MINUTES, HELD_OUT)
    lists = (f"data.path={RECORDINGS}/train.tsv", f"data.validation_path={RECORDINGS}/validation.tsv")
    saga_sr("prepare", *codec(dac), *DEGRADATION, *lists, f"output={LATENTS}", "num_samples=65536", "degradations=1")
    runs = study(dac)
    runs.train()
    runs.table()
    pictures.main(OUTPUTS / runs.name, "latents_")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--dac", type=Path)
    given = parser.parse_args()
    main(given.corpus, given.dac)
