"""Train this study's 24 runs, and make its table and pictures: `python experiments/heads_and_objectives/study.py`.

With `--table`, only the table is made, of the runs in comparison.csv.
"""

from pathlib import Path

from experiments.sweep_study import FIGURES, SweepStudy

STUDY = SweepStudy(
    Path(__file__).with_name("README.md"),
    "heads_and_objectives",
    {
        "backbone.head": "linear,gaussian",
        "objective": "velocity,x_prediction",
        "objective.time": "uniform,logit_normal",
        "seed": "1,2,3",
    },
    [
        *("experiment=demo", "loss=mse", "trainer.max_steps=300", "trainer.max_time=null"),
        *("trainer.val_check_interval=100", "validation.validation_batches=2", "data.pool_clips=128"),
    ],
    {"backbone.head": "head", "objective": "objective", "objective.time": "time"},
    FIGURES,
)

if __name__ == "__main__":
    STUDY.main(__doc__)
