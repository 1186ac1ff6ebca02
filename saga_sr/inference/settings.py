"""`EnhanceSettings`: how recordings are enhanced, the same for commands, evaluation, validation and Python.

It is the schema of the configuration group `enhance`, whose files are the presets. Imports no torch.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from saga_sr.core.config import CONF_DIR
from saga_sr.core.errors import ConfigError
from saga_sr.files.output_formats import FILM_FORMATS, FORMATS

PRESETS = Path(CONF_DIR) / "enhance"


def _setting(default: Any, text: str, *choices: str) -> Any:
    """A field with the text that explains it to users, and its possible values where these are few."""
    return field(default=default, metadata={"help": text, "choices": choices})


@dataclass
class SamplerSettings:
    """How the flow is integrated; None keeps what the model's package says."""

    solver: str | None = _setting(
        None, "euler; adams_bashforth or dpmpp_2m, of second order; gaussian; ddim, at a diffusion's steps; midpoint "
        "or heun, which evaluate the network twice a step",
        "euler", "adams_bashforth", "dpmpp_2m", "gaussian", "ddim", "midpoint", "heun",
    )  # fmt: skip
    steps: int | None = _setting(None, "steps of the solver; more are slower")
    effort: str | None = _setting(
        None, "fast, balanced or best: as many steps as the solver needs for that, where steps is left out"
    )
    power: float | None = _setting(None, "steps are finer near the noise above 1, near the data below 1")
    grid: list[float] | None = field(
        default=None, metadata={"help": "times from 0 (noise) to 1 (data) that the steps follow instead"}
    )
    eta: float | None = _setting(
        None, "of ddim: how much of the noise each step draws anew, 0 (none) to 1 (as much as a diffusion)"
    )
    noise: str | None = _setting(
        None, "what sampling starts from: gaussian, rademacher (its signs), or replicated (the low band copied up)",
        "gaussian", "rademacher", "replicated",
    )  # fmt: skip


@dataclass
class GuidanceSettings:
    """How strongly conditions steer; None keeps what the model's package says."""

    kind: str | None = _setting(
        None, "classifier_free (scale), nested or parallel (acoustic, text)", "classifier_free", "nested", "parallel"
    )
    scale: float | None = _setting(None, "of classifier_free; 1 is without guidance")
    acoustic: float | None = _setting(None, "weight of the recording, of nested and parallel")
    text: float | None = _setting(None, "weight of the prompt, of nested and parallel")
    dropped: list[str] | None = field(
        default=None, metadata={"help": "conditions that the other branch of classifier_free goes without"}
    )
    interval: list[float] | None = field(
        default=None,
        metadata={"help": "from which time to which (0 noise, 1 data) it is guided; elsewhere it is faster"},
    )
    every: int | None = _setting(
        None, "the other branches are evaluated in one of so many evaluations, and kept between"
    )


@dataclass
class EnhanceSettings:
    """How a recording is enhanced.

    Raises:
        ConfigError: a value that is not possible, with what is.
    """

    sampler: SamplerSettings = field(default_factory=SamplerSettings)
    guidance: GuidanceSettings = field(default_factory=GuidanceSettings)
    low_band: str | None = _setting(
        None, "how the low band is taken from the input: crossfade, hard, energy_matched or off",
        "crossfade", "hard", "energy_matched", "off",
    )  # fmt: skip
    cutoff_hz: Any = field(
        default=None,
        metadata={
            "help": "where the input's content ends, in Hz, or a list by channel, each also a list of [from which "
            "second, Hz]; measured where left out"
        },
    )
    stream: int | None = _setting(None, "which of a file's streams of audio, counted from 1; the first where left out")
    strict: bool = _setting(False, "refuse files that are damaged or break off, instead of enhancing what is there")
    nan: str = _setting(
        "refuse", "what is done about NaN and infinity in the input: refuse, or zero to go on with zeros",
        "refuse", "zero",
    )  # fmt: skip
    clip: str = _setting(
        "scale",
        "how a result above full scale becomes FLAC, OGG, MP3 or integers: scale turns all of it down, limit (streams, "
        "too) its peaks, and none clips them",
        "scale", "limit", "none",
    )  # fmt: skip
    prompt: str = _setting("", "what the recording contains, for models trained with text")
    rolloff: float = _setting(1.0, "how bright the output becomes, up to 1, which is full band")
    wishes: dict[str, Any] = field(
        default_factory=dict, metadata={"help": "what a model's other conditions are asked for, by their names"}
    )
    chunk_s: float = _setting(10.0, "seconds restored at a time; memory grows with it")
    overlap_s: float = _setting(1.0, "seconds of cross-fade between neighbouring chunks")
    batch_size: int = _setting(1, "chunks restored together")
    seed: int = _setting(0, "of the noise; the same seed gives the same result")
    format: str | None = _setting(
        None,
        f"of files written to a folder: {', '.join(FORMATS)}, and with keep_video {', '.join(FILM_FORMATS)}; flac, or "
        "the film's own, if left out",
    )
    keep_video: bool = _setting(
        False, "make a film of each film, with its picture as it is and its sound replaced: MP4, MKV, WebM or MOV"
    )
    rate: Any = field(
        default=None,
        metadata={"help": "of files, in Hz, or keep for the input's, not below the model's; the model's if left out"},
    )
    bits: Any = field(
        default=None,
        metadata={
            "help": "of samples in WAV, FLAC, AIFF, MKV: 16 (dithered), 24, float (WAV, AIFF), keep for the input's; "
            "where left out, 24, or float if the input is"
        },
    )

    bitrate: int | None = _setting(
        None, "of MP3, M4A, Opus, MP4, MOV and WebM, in kb/s; 320 or 256 for two channels if left out"
    )
    tags: bool = _setting(
        True, "copy tags, pictures, time stamps and points, and tell what made the file; off for none"
    )

    def __post_init__(self) -> None:
        if self.nan not in ("refuse", "zero"):
            raise ConfigError(f"nan={self.nan!r} is not known; choose refuse or zero.")
        if self.clip not in ("scale", "limit", "none"):
            raise ConfigError(f"clip={self.clip!r} is not known; choose scale, limit or none.")
        if self.rate not in (None, "keep") and not (type(self.rate) is int and 8000 <= self.rate <= 768_000):
            raise ConfigError(
                f"rate={self.rate!r} is not possible; give keep, or 44100, 48000, 96000 or another in Hz."
            )
        if self.bits not in (None, "keep", 16, 24, "float"):
            raise ConfigError(f"bits={self.bits!r} is not possible; choose keep, 16, 24 or float.")
        if self.batch_size < 1:
            raise ConfigError(f"batch_size={self.batch_size} must be at least 1.")
        for hz in self.cutoff_hz if isinstance(self.cutoff_hz, list) else [self.cutoff_hz]:
            if hz is None or _is_frequency(hz) or (isinstance(hz, list) and _are_stretches(hz)):
                continue
            raise ConfigError(f"cutoff_hz={self.cutoff_hz!r} is not possible; give where the recording's content ends.")

    def changed(self, preset: str | None = None, **changes: Any) -> EnhanceSettings:
        """These settings with the `changes`; a `preset` comes first.

        Args:
            preset: a file of `conf/enhance/`.
            changes: settings by name; those of sampler and guidance also without the group: `steps=8`.

        Raises:
            ConfigError: an unknown name, or a value of the wrong type.
        """
        config = OmegaConf.structured(self)
        if preset is not None:
            config = merged(config, read_preset(preset))
        for name, value in changes.items():
            path = full_name(name)
            config = merged(config, _nested(path, value))
        return settings_of(config)


def _is_frequency(hz: Any) -> bool:
    return isinstance(hz, int | float) and not isinstance(hz, bool) and hz > 0


def _are_stretches(told: list[Any]) -> bool:
    """Whether these are pairs of a second and a frequency, the first from 0 s on, and each behind the one before."""
    if not told or not all(isinstance(pair, list) and len(pair) == 2 and _is_frequency(pair[1]) for pair in told):
        return False
    begins = [begin_s for begin_s, _ in told]
    if not all(begin_s == 0 or _is_frequency(begin_s) for begin_s in begins):  # numbers
        return False
    return begins[0] == 0 and all(before < after for before, after in itertools.pairwise(begins))


def presets() -> list[str]:
    """The names that `preset=` takes."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def read_preset(name: str) -> dict[str, Any]:
    """What the preset called `name` sets.

    Raises:
        ConfigError: there is none.
    """
    if name not in presets():
        raise ConfigError(f"preset={name!r} is not known; choose one of {', '.join(presets())}.")
    content = cast(dict[str, Any], OmegaConf.to_container(OmegaConf.load(PRESETS / f"{name}.yaml")))
    content.pop("defaults", None)
    return content


def names() -> dict[str, str]:
    """The full name (`sampler.steps`) of each setting by what users may call it: that, and `steps`."""
    found = {}
    for entry in fields(EnhanceSettings):
        group = GROUPS.get(entry.name)
        if group is None:
            found[entry.name] = entry.name
        else:
            found[entry.name] = entry.name
            for part in fields(group):
                found[part.name] = found[f"{entry.name}.{part.name}"] = f"{entry.name}.{part.name}"
    return found


GROUPS: Mapping[str, type] = {"sampler": SamplerSettings, "guidance": GuidanceSettings}


def choices(name: str) -> tuple[str, ...]:
    """The possible values of the setting that a user calls `name`; none where there are more than can be listed.

    Raises:
        ConfigError: there is no such setting.
    """
    group, _, part = full_name(name).rpartition(".")
    entries = fields(GROUPS[group] if group else EnhanceSettings)
    return next(tuple(entry.metadata.get("choices", ())) for entry in entries if entry.name == part)


def full_name(name: str) -> str:
    """The full name of the setting that a user calls `name`.

    Raises:
        ConfigError: there is none, with the nearest that there is.
    """
    known = names()
    if name not in known:
        raise ConfigError(f"There is no setting {name!r}; {suggestion(name, known)}.")
    return known[name]


def suggestion(name: str, known: Iterable[str]) -> str:
    """The nearest of `known`, or all of them, as advice."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(sorted(known))}"


def settings_of(config: DictConfig | Mapping[str, Any]) -> EnhanceSettings:
    """The settings that a composed configuration holds, among whatever else it holds.

    Raises:
        ConfigError: a value that is not possible.
    """
    own = {entry.name: config[entry.name] for entry in fields(EnhanceSettings) if entry.name in config}
    return cast(EnhanceSettings, OmegaConf.to_object(merged(OmegaConf.structured(EnhanceSettings), own)))


def merged(config: DictConfig, changes: Any) -> DictConfig:
    """`config` with `changes`, whose types are checked.

    Raises:
        ConfigError: an unknown name, or a value of the wrong type.
    """
    try:
        return cast(DictConfig, OmegaConf.merge(config, changes))
    except OmegaConfBaseException as error:
        raise ConfigError(f"{error.full_key}: {str(error).splitlines()[0]}; correct the value.") from error


def _nested(path: str, value: Any) -> dict[str, Any]:
    for part in reversed(path.split(".")):
        value = {part: value}
    return cast(dict[str, Any], value)
