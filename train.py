"""Train a model: `python train.py experiment=demo` is `saga-sr train experiment=demo`."""

import sys

from saga_sr.cli.main import main

if __name__ == "__main__":
    main(["train", *sys.argv[1:]])
