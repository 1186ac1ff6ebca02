"""Train a model: `python train.py experiment=demo`. `--help` lists the groups and their options."""

from saga_sr.cli.train import run

if __name__ == "__main__":
    run()
