"""The command `saga-sr VERB ...`."""

from __future__ import annotations

import importlib
import sys

from saga_sr.core.errors import ExtraError
from saga_sr.core.imports import extras_named, importing

VERBS = ("train", "enhance", "evaluate", "prepare", "caption", "compare", "inspect", "export")


def main() -> None:
    """Hand the rest of the command line to the module of its verb."""
    if len(sys.argv) < 2 or sys.argv[1] not in VERBS:
        sys.exit(f"usage: saga-sr VERB ...; the verbs are {', '.join(VERBS)}.")
    verb = sys.argv.pop(1)
    try:
        with extras_named(), importing():
            module = importlib.import_module(f"saga_sr.cli.{verb}")
    except ExtraError as error:
        sys.exit(f"error: {error}")
    module.run()
