"""Enhance recordings: `saga-sr enhance old.mp3 restored.wav preset=fast`; `-` reads and writes a pipe."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Collection
from pathlib import Path
from tempfile import TemporaryDirectory

from omegaconf import DictConfig

from saga_sr.cli.calling import Command, Placed
from saga_sr.cli.command import check_existing, execute
from saga_sr.core.errors import UsageError
from saga_sr.core.termination import ends_in_order

PIPE = "-"


def place(files: list[str], given: Collection[str]) -> Placed:
    """Which of `files` are recordings, and whether the last is where their result goes.

    Raises:
        UsageError: that is not clear, or a recording is not there.
    """
    if "input" in given:
        if len(files) > 1 or "output" in given:
            raise UsageError(f"input=... and {files[0]} are both given; leave one out.")
        return {"output": files[0]}
    sources, output = (files, None) if "output" in given or len(files) == 1 else split_output(files)
    check_existing([source for source in sources if source != PIPE])
    if PIPE in sources and len(sources) > 1:
        raise UsageError("A pipe (-) is one recording; enhance the other files in a command of their own.")
    if PIPE in sources and output is None and "output" not in given:
        output = PIPE
    placed: dict[str, str | list[str]] = {"input": sources[0] if len(sources) == 1 else sources}
    return placed if output is None else {**placed, "output": output}


def split_output(files: list[str]) -> tuple[list[str], str]:
    """The recordings among `files`, and where their result goes: the last.

    Raises:
        UsageError: the last cannot be that.
    """
    from saga_sr.core.storage import as_named, is_there
    from saga_sr.inference.inputs import is_list, is_pattern
    from saga_sr.inference.jobs import is_one_file

    *sources, last = files
    if is_pattern(last) or is_list(last):
        raise UsageError(f"{last} stands for recordings; say where they go with output=FOLDER, or a folder at the end.")
    is_folder = last.endswith(os.sep) or Path(last).is_dir()
    is_file = last == PIPE or is_one_file(last)
    if is_file and len(files) == 2 and is_there(as_named(last)):
        # It may be the second of two that *.wav stands for.
        raise UsageError(f"{last} is there already; say output={last} to replace it, or output=FOLDER to enhance both.")
    if is_folder or (is_file and len(files) == 2):
        return sources, last
    if is_file:
        raise UsageError(f"{len(files)} files are given; say where they go with output=FOLDER, or a folder at the end.")
    raise UsageError(f"{last} is neither a recording nor a folder; write {last}/ or output={last} for a new folder.")


def work(config: DictConfig) -> None:
    """Enhance what `config` names, through files beside the pipes where it names these."""
    from saga_sr.inference.run import run

    with ends_in_order(), TemporaryDirectory() as folder:
        to_pipe = config.output == PIPE
        if config.input == PIPE:
            config.input = str(Path(folder) / "stdin")
            with Path(config.input).open("wb") as file:
                shutil.copyfileobj(sys.stdin.buffer, file)
                if not file.tell():
                    raise UsageError("Nothing came through the pipe (-); see to the command that writes to it.")
        if to_pipe:
            config.output = str(Path(folder) / "stdout.wav")
        run(config)
        if to_pipe:
            with Path(config.output).open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.buffer.flush()


COMMAND = Command("enhance", "infer", "FILE_FOLDER_PATTERN_OR_@LIST ... [OUTPUT]", place, enhances=True, patterns=True)


def run(words: list[str]) -> None:
    """Answer the command line."""
    execute(COMMAND, words, work)
