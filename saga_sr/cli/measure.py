"""Measure recordings: `saga-sr measure old.mp3 picture=old.png`; nothing is done to them.

Prints where the content of each channel ends and when, levels, faults, and what would be restored.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, ListConfig
from tqdm import tqdm

from saga_sr.cli.calling import Command, Placed
from saga_sr.cli.command import check_existing, execute
from saga_sr.core.errors import AudioError, ConfigError, ExtraError, SagaError, UsageError
from saga_sr.core.imports import extras_named
from saga_sr.core.storage import as_named, is_folder, mend, reason_of, write_whole
from saga_sr.core.version import __version__

if TYPE_CHECKING:
    from saga_sr.inference.measurement import Measurement

logger = logging.getLogger(__name__)

# Of the JSON file: it counts up when what was there changes.
SCHEMA = 1


def place(files: list[str], given: Collection[str]) -> Placed:
    """All `files` are recordings.

    Raises:
        UsageError: one of them is not there, or they are named otherwise, too.
    """
    if "input" in given:
        raise UsageError(f"input=... and {files[0]} are both given; leave one out.")
    check_existing(files)
    return {"input": files}


def work(config: DictConfig) -> None:
    """Measure what `config` names; a file that cannot be measured is named and passed over, and the others are done.

    Raises:
        SagaError: nothing can be done at all, or (at the end) what could not be done.
    """
    from saga_sr.inference.inputs import find_recordings
    from saga_sr.inference.jobs import check_place
    from saga_sr.inference.summary import table

    for wanted in (config.json, config.picture):
        if wanted is not None:
            check_place(wanted)
    named = config.input if isinstance(config.input, ListConfig) else [config.input]
    found = find_recordings(named)
    pictures = picture_files([place for _, place in found], config.picture)
    measured: dict[Path, dict[str, Any]] = {}
    failures: list[str] = []
    lacking: ExtraError | None = None
    for (path, _), picture in zip(found, pictures, strict=True):
        picture = None if lacking else picture
        try:
            measurement = shown(path, picture is not None)
            print(table(measurement), flush=True)
            measured[path] = measurement.as_json()
            if picture is not None:
                draw(measurement, picture)
        except ExtraError as error:
            lacking = error
        except SagaError as error:
            measured.setdefault(path, {"path": str(path), "error": str(error)})
            failures.append(str(error))
            if len(found) > 1:
                logger.warning("Skipped: %s", error)
    if config.json is not None:
        write_json(as_named(config.json), list(measured.values()))
    if failures:
        several = f"{len(failures)} of {len(found)} files could not be measured: " if len(found) > 1 else ""
        raise AudioError(several + " ".join(failures))
    if lacking:
        raise lacking


def picture_files(places: Sequence[Path], output: str | None) -> list[Path] | list[None]:
    """The picture's file of each of the recordings, given where they lie; None for each if there is no `output`.

    Raises:
        ConfigError: several would become one, or `output` is neither a .png file nor a folder, or out of reach.
    """
    from saga_sr.inference.naming import result_places

    if output is None:
        return [None] * len(places)
    path = as_named(output)
    suffix = path.suffix.lower()
    try:
        several = output.endswith(os.sep) or not suffix or is_folder(path)
    except OSError as error:
        raise ConfigError(f"picture={output} cannot be looked into ({reason_of(error)}); {mend(path)}.") from error
    if several:
        return [path / str(picture) for picture in result_places(places, "png")]
    if suffix != ".png":
        raise ConfigError(f"picture={output} is no .png file; give one, or a folder (a new one as {output}/).")
    if len(places) > 1:
        raise ConfigError(f"picture={output} is one file, but there are {len(places)} recordings; give a folder.")
    return [path]


def shown(path: Path, picture: bool) -> Measurement:
    """Measure a file behind a bar of seconds."""
    from saga_sr.inference.measurement import measure_file

    with tqdm(desc=path.name, unit="s", delay=2, leave=False) as bar:

        def progress(done_s: float, total_s: float) -> None:
            bar.total = round(total_s, 1)
            bar.update(round(done_s, 1) - bar.n)

        return measure_file(path, picture, progress)


def draw(measurement: Measurement, path: Path) -> None:
    """Write the picture of a measurement whose spectrogram was asked for.

    Raises:
        ExtraError: what draws is not installed.
        AudioError: the picture cannot be written.
    """
    with extras_named():
        from saga_sr.pages.measured_picture import write_picture

    info, spectrogram = measurement.info, measurement.spectrogram
    assert spectrogram is not None
    try:
        write_picture(
            path, info.path.name, spectrogram, measurement.heard.edges, measurement.names, info.sample_rate / 2
        )
    except OSError as error:
        raise AudioError(f"{path} cannot be written ({reason_of(error)}); give another picture=... .") from error


def write_json(path: Path, files: list[dict[str, Any]]) -> None:
    """Write what was measured, or why not, of each file.

    Raises:
        ConfigError: `path` cannot be written.
    """
    content = {"schema": SCHEMA, "saga_sr": __version__, "files": files}
    try:
        write_whole(path, json.dumps(content, indent=1) + "\n")
    except OSError as error:
        raise ConfigError(f"json={path} cannot be written ({reason_of(error)}); give another place.") from error


COMMAND = Command("measure", "measure", "FILE_FOLDER_PATTERN_OR_@LIST ...", place, patterns=True)


def run(words: list[str]) -> None:
    """Answer the command line."""
    execute(COMMAND, words, work)
