"""Enhance recordings: `python infer.py model=DIR input=FILE_OR_DIR output=FILE_OR_DIR`."""

from saga_sr.cli.enhance import run

if __name__ == "__main__":
    run()
