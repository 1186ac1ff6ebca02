"""Codecs side by side: `saga-sr reconstruct codecs=mdct,dac codec.dac.path=weights_44khz.pth FILE ...`.

Writes `reconstruction.html` and, for each recording, its audio, what each codec and inverter made of it and
`*_analysis.json` into `output`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from saga_sr.cli.calling import Command
from saga_sr.cli.command import execute
from saga_sr.cli.help import comments
from saga_sr.cli.measure import place
from saga_sr.core.config import CONF_DIR
from saga_sr.core.errors import ConfigError, ExtraError, SagaError, UsageError, WeightsError
from saga_sr.core.imports import extras_named

if TYPE_CHECKING:
    import torch

    from saga_sr.evaluation.reconstruction import Way

logger = logging.getLogger(__name__)

COMMAND = Command("reconstruct", "reconstruct", "FILE ...", place, complete=False, patterns=True)
CODECS = "codecs="


def work(config: DictConfig) -> None:
    """Take each recording through each codec, and write what `config` says.

    Raises:
        SagaError: a setting or a file that cannot be used, or no codec can be.
    """
    from saga_sr.core.hardware import pick_device
    from saga_sr.evaluation.reconstruction import reconstruct_files
    from saga_sr.evaluation.reconstruction_table import methods_of, summary_table
    from saga_sr.inference.inputs import find_recordings
    from saga_sr.inference.naming import result_places
    from saga_sr.pages.reconstruction_page import write_reconstruction_page

    if OmegaConf.is_missing(config, "codecs"):
        raise UsageError(f"codecs is required; add codecs=... to the command, of {', '.join(known_codecs())}.")
    if OmegaConf.is_missing(config, "input"):
        raise UsageError("No recording is named; add files or folders to the command.")
    longest_s = checked_length(config.max_length)
    found = find_recordings(config.input if isinstance(config.input, ListConfig) else [config.input])
    output = Path(config.output)
    ways, skipped = load_ways(config, pick_device(config.device))
    for reason in skipped.values():
        logger.warning("Skipped: %s", reason)
    places = result_places([place for _, place in found], "wav")
    files = {path: output / place.with_suffix("") for (path, _), place in zip(found, places, strict=True)}
    results = reconstruct_files(files, ways, skipped, longest_s, config.examples)
    if not methods_of(results):
        raise SagaError(next(iter(results[0].failures.values())))
    page = write_reconstruction_page(output / "reconstruction.html", results, skipped)
    logger.info("%s\n\nReport: %s", summary_table(results), page.resolve())


def checked_length(max_length: float) -> float:
    """`max_length`, if it is a length.

    Raises:
        ConfigError: it is not.
    """
    if not max_length > 0:  # NaN is not, either
        raise ConfigError(
            f"max_length={max_length:g} is no length; give seconds above 0, or inf for all of a recording."
        )
    return max_length


def load_ways(config: DictConfig, device: torch.device) -> tuple[dict[str, Way], dict[str, str]]:
    """The codecs of `config` on `device`, with each way back that they have; and why others are left out.

    Raises:
        SagaError: settings that a codec cannot have, or none of them is here.
    """
    from saga_sr.evaluation.reconstruction import ways_of

    ways: dict[str, Way] = {}
    skipped: dict[str, str] = {}
    for name, settings in config.codec.items():
        lacking = [str(key) for key in settings if OmegaConf.is_missing(settings, key)]
        try:
            if lacking:
                raise WeightsError(weights_wanted(name, lacking[0]))
            with extras_named():
                ways |= ways_of(name, built(settings).to(device))
        except (WeightsError, ExtraError) as error:
            skipped[name] = f"{name}: {in_this_command(error, name)}"
        except SagaError as error:
            raise ConfigError(in_this_command(error, name)) from error
    if not ways:
        raise WeightsError(f"None of these codecs can be used. {' '.join(skipped.values())}")
    return ways, skipped


def built(settings: DictConfig) -> Any:
    """The codec that `settings` describe.

    Raises:
        SagaError: it cannot be built.
    """
    from hydra.utils import get_class

    kind: Any = get_class(settings["_target_"])  # an error within is not wrapped, as it is by `instantiate`
    return kind(**{str(key): value for key, value in settings.items() if key != "_target_"})


def weights_wanted(name: str, key: str) -> str:
    """That a codec's weights are not here, and which are wanted, by the comment in its file."""
    what = comments(Path(CONF_DIR) / "codec" / f"{name}.yaml").get(key, "").rstrip(".")
    return f"its weights are not here; add codec.{key}=... to the command ({what})."


def in_this_command(error: SagaError, name: str) -> str:
    """What a codec says of its settings, by their names here."""
    return re.sub(r"\bcodec\.", f"codec.{name}.", str(error))


def known_codecs() -> list[str]:
    """The options of the group `codec`."""
    return sorted(path.stem for path in (Path(CONF_DIR) / "codec").glob("*.yaml"))


def with_codecs(words: Sequence[str]) -> list[str]:
    """`words` with the settings of each codec that they name.

    Raises:
        UsageError: a codec that there is not, or one that is named twice.
    """
    given = [word for word in words if word.startswith(CODECS)]
    names = [name for word in given for name in word.removeprefix(CODECS).strip("[]").replace(" ", "").split(",")]
    known = known_codecs()
    for name in names:
        if name not in known:
            raise UsageError(f"There is no codec {name!r}; choose one of {', '.join(known)}.")
    if len({*names}) < len(names):
        raise UsageError(f"{given[0]} names a codec twice; name each once.")
    rest = [word for word in words if word not in given]
    return [*rest, *([f"codecs=[{','.join(names)}]"] if given else []), *(f"+codec@codec.{n}={n}" for n in names)]


def run(words: list[str]) -> None:
    """Answer the command line."""
    execute(COMMAND, with_codecs(words), work)
