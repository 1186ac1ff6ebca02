"""Enhance recordings: `python infer.py old.mp3 new.wav` is `saga-sr enhance old.mp3 new.wav`."""

import sys

from saga_sr.cli.main import main

if __name__ == "__main__":
    main(["enhance", *sys.argv[1:]])
