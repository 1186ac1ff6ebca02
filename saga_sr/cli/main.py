"""The command `saga-sr VERB ...`."""

from __future__ import annotations

import importlib
import sys

VERBS = ("train", "enhance", "evaluate", "prepare", "caption", "compare", "inspect", "export")


def main() -> None:
    """Hand the rest of the command line to the module of its verb."""
    if len(sys.argv) < 2 or sys.argv[1] not in VERBS:
        sys.exit(f"usage: saga-sr VERB ...; the verbs are {', '.join(VERBS)}.")
    verb = sys.argv.pop(1)
    importlib.import_module(f"saga_sr.cli.{verb}").run()
