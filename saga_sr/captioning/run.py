"""Caption recordings with Qwen2-Audio.

Writes `captions.jsonl` into the folder, where training finds it; a run that was stopped goes on.
"""

from __future__ import annotations

import logging
from pathlib import Path

from omegaconf import DictConfig
from tqdm import tqdm

from saga_sr.captioning.captioner import LONGEST_S, SHORTEST_S, Captioner, CaptionFile, Stretch, batches, cut
from saga_sr.core.errors import AudioError, ConfigError
from saga_sr.core.hardware import pick_device
from saga_sr.data.captions import CAPTIONS_FILE
from saga_sr.data.recordings import Recordings, find_recordings
from saga_sr.files.reading import inspect_audio

logger = logging.getLogger(__name__)


def run(config: DictConfig) -> None:
    """Write the captions that `config` asks for and that are not there yet.

    A file that cannot be read is named and passed over.

    Raises:
        SagaError: a wrong setting, a model that cannot be read, or no file that can.
    """
    if config.batch_size < 1:
        raise ConfigError(f"batch_size={config.batch_size} must be at least 1.")
    if not SHORTEST_S <= config.stretch_s <= LONGEST_S:
        raise ConfigError(
            f"stretch_s={config.stretch_s} is not possible, since Qwen2-Audio hears {LONGEST_S} s at most; "
            f"choose {SHORTEST_S} to {LONGEST_S}."
        )
    recordings, model, device = find_recordings(config.data.path), Path(config.model), pick_device(config.device)
    output, folder = place(recordings, config.output)
    stretches, bad = plan(recordings, config.stretch_s)
    file = CaptionFile(output, folder)
    planned = list(batches(stretches, config.batch_size, file))
    if planned:
        # What cannot be written is better known before the model is read.
        file.add([])
        write(planned, Captioner(model, device), file, bad)
    readable = {stretch.info.path for stretch in stretches} - set(bad)
    if not readable:
        raise AudioError(
            f"None of the {len(bad)} files in {recordings} can be read; the first: {next(iter(bad.values()))}"
        )
    if bad:
        logger.warning("%d of %d files have no captions, or only in part.", len(bad), len(bad) + len(readable))
    logger.info("Captions of %d files are in %s", len(readable), file.path)


def place(recordings: Recordings, output: str | None) -> tuple[Path, Path]:
    """Where captions are written, and the folder that paths in them are relative to.

    Raises:
        ConfigError: several sources, or a manifest, and no output.
    """
    first = recordings.sources[0]
    if len(recordings.sources) == 1 and first.path.is_dir():
        return Path(output or first.folder / CAPTIONS_FILE), first.folder
    if output is None:
        raise ConfigError(f"{recordings} is no single folder that captions.jsonl could lie in; give output=FILE.jsonl.")
    return Path(output), first.folder


def plan(recordings: Recordings, stretch_s: float) -> tuple[list[Stretch], dict[Path, str]]:
    """All stretches of the recordings, and what is wrong with files that cannot be read."""
    stretches: list[Stretch] = []
    bad: dict[Path, str] = {}
    for path in recordings.files:
        try:
            stretches += cut(inspect_audio(path), stretch_s)
        except AudioError as error:
            skip(path, error, bad)
    return stretches, bad


def write(planned: list[list[Stretch]], captioner: Captioner, file: CaptionFile, bad: dict[Path, str]) -> None:
    """Caption the batches `planned` into `file`; files that turn out damaged join `bad`."""
    for batch in tqdm(planned, desc="Captions", unit="batch"):
        heard = []
        for stretch in batch:
            try:
                heard.append((stretch, stretch.read()))
            except AudioError as error:
                skip(stretch.info.path, error, bad)
        captions = captioner([audio for _, audio in heard])
        file.add(
            [(stretch, said) for (stretch, _), said in zip(heard, captions, strict=True) if not file.holds(stretch)]
        )


def skip(path: Path, error: AudioError, bad: dict[Path, str]) -> None:
    """Name a file that cannot be read, once."""
    if path not in bad:
        logger.warning("Skipped: %s", error)
        bad[path] = str(error)
