"""The command `saga-sr VERB ...`: each verb is the module of its name beside this one, or one of `ELSEWHERE`."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from collections.abc import Callable, Sequence

from saga_sr.core.errors import SagaError, UsageError
from saga_sr.core.imports import extras_named, importing
from saga_sr.core.version import __version__

# A verb is `saga_sr/cli/VERB.py` with `run(words)`, or stands in ELSEWHERE; it is imported when it is asked for.
VERBS = {
    "train": "train a model, or a sweep of them",
    "enhance": "restore the high frequencies of recordings",
    "measure": "say where the content of recordings ends, how loud they are, and what would be restored",
    "evaluate": "compare a model with its input on held-out clips, in a report",
    "reconstruct": "take recordings through codecs and back, and compare what is left",
    "prepare": "encode recordings once, for faster training",
    "caption": "describe recordings in words, for models that read text",
    "compare": "put training runs side by side on a page",
    "inspect": "say what a model costs, or what a file of weights holds",
    "export": "write a model package of a run or checkpoint, and publish it, or write graphs for other programs",
    "doctor": "say what is installed, what is wrong with it, and how to mend it",
    "app": "hear and see all of this in a browser",
}
# Its room is built on this one.
ELSEWHERE = {"app": "saga_sr.app.command"}
OK, FAILED, MISUSED, STOPPED = 0, 1, 2, 130


def main(words: Sequence[str] | None = None) -> None:
    """Do what `words` ask for and exit with its status.

    Args:
        words: the command line after the program's name; the process' own unless given.
    """
    # A file's name need not be text; printing it must not end the program.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    words = sys.argv[1:] if words is None else words
    sys.exit(status_of(lambda: dispatch(list(words))))


def dispatch(words: list[str]) -> None:
    """Hand the rest of the command line to its verb.

    Raises:
        UsageError: an unknown verb.
    """
    verb, *rest = words or ["--help"]
    if verb in ("--help", "-h", "help"):
        print(overview())
    elif verb in ("--version", "-V"):
        print(f"saga-sr {__version__}")
    elif verb in VERBS:
        # Read when torch is imported. Threads that spin while they wait for one whose core another program has make
        # enhancing up to eight times as slow (benchmarks/startup.md).
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        with extras_named(), importing():
            module = importlib.import_module(module_of(verb))
        module.run(rest)
    else:
        near = difflib.get_close_matches(verb, VERBS, 1, 0.4)
        mend = f"did you mean {near[0]}?" if near else f"the verbs are {', '.join(VERBS)}."
        raise UsageError(f"There is no verb {verb!r}; {mend}")


def module_of(verb: str) -> str:
    """The module of a verb."""
    return ELSEWHERE.get(verb, f"saga_sr.cli.{verb}")


def overview() -> str:
    """The verbs, a line each."""
    width = max(map(len, VERBS))
    lines = [f"  {verb:<{width}}  {purpose}" for verb, purpose in VERBS.items()]
    return "\n".join(["usage: saga-sr VERB ...", "", *lines, "", "saga-sr VERB --help says what a verb takes."])


def status_of(work: Callable[[], object]) -> int:
    """The exit status of `work`; what a user can mend is said in one sentence on stderr."""
    try:
        work()
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return STOPPED
    except BrokenPipeError:
        # `| head` has seen enough; what is left over must not be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except SagaError as error:
        return answer(error)
    return OK


def answer(error: SagaError) -> int:
    """Say `error` on stderr; the exit status that it means."""
    print(f"error: {error}", file=sys.stderr)
    return MISUSED if isinstance(error, UsageError) else FAILED
