"""Caption recordings with Qwen2-Audio.

Writes `captions.jsonl` into the folder, where training finds it; a run that was stopped goes on.
"""

from __future__ import annotations

import logging
from pathlib import Path

from omegaconf import DictConfig
from tqdm import tqdm

from saga_sr.audio.files import find_audio, inspect_audio
from saga_sr.captioning.captioner import LONGEST_S, SHORTEST_S, Captioner, CaptionFile, Stretch, batches, cut
from saga_sr.core.errors import AudioError, ConfigError
from saga_sr.core.hardware import pick_device
from saga_sr.data.captions import CAPTIONS_FILE

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
    folder, model, device = Path(config.data.path), Path(config.model), pick_device(config.device)
    stretches, bad = plan(folder, config.stretch_s)
    file = CaptionFile(Path(config.output or folder / CAPTIONS_FILE), folder)
    planned = list(batches(stretches, config.batch_size, file))
    if planned:
        # What cannot be written is better known before the model is read.
        file.add([])
        write(planned, Captioner(model, device), file, bad)
    readable = {stretch.info.path for stretch in stretches} - set(bad)
    if not readable:
        raise AudioError(f"None of the {len(bad)} files in {folder} can be read; the first: {next(iter(bad.values()))}")
    if bad:
        logger.warning("%d of %d files have no captions, or only in part.", len(bad), len(bad) + len(readable))
    logger.info("Captions of %d files are in %s", len(readable), file.path)


def plan(folder: Path, stretch_s: float) -> tuple[list[Stretch], dict[Path, str]]:
    """All stretches of the recordings in `folder`, and what is wrong with files that cannot be read.

    Raises:
        AudioError: the folder is missing or holds no audio.
    """
    stretches: list[Stretch] = []
    bad: dict[Path, str] = {}
    for path in find_audio(folder):
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
