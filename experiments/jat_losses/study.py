"""Train this study's nine runs in MDCT latents, and make their table: `python experiments/jat_losses/study.py`.

With `--table`, only the table is made, of the runs in comparison.csv.
"""

from pathlib import Path

from experiments.sweep_study import FIGURES, SweepStudy

STUDY = SweepStudy(
    Path(__file__).with_name("README.md"),
    "jat_losses",
    {"loss": "mse,mod1,mod2", "seed": "1,2,3"},
    [
        *("experiment=demo", "backbone.head=linear", "trainer.max_steps=800", "trainer.max_time=null"),
        *("trainer.val_check_interval=200", "validation.validation_batches=2", "data.pool_clips=256"),
    ],
    {"loss": "loss"},
    FIGURES,
)

if __name__ == "__main__":
    STUDY.main(__doc__)
