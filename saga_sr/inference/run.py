"""Enhance a file or a folder as a composed configuration says."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from saga_sr.audio.files import SUFFIXES, find_audio
from saga_sr.audio.low_band import checked_mode
from saga_sr.core.errors import AudioError, ConfigError
from saga_sr.core.hardware import keep_memory, pick_device
from saga_sr.flow.guidance import ClassifierFree, Guidance, Nested, Parallel, branches
from saga_sr.flow.sampler import Sampler
from saga_sr.inference.enhance import EnhanceOptions, enhance_file
from saga_sr.model import SuperResolver
from saga_sr.packages.load import load_model as open_model

logger = logging.getLogger(__name__)

GUIDANCES = {"classifier_free": ClassifierFree, "nested": Nested, "parallel": Parallel}


def run(config: DictConfig) -> None:
    """Enhance `config.input` into `config.output` with the model package `config.model`.

    A file that cannot be enhanced is named and passed over, and the others are done.

    Raises:
        SagaError: nothing can be done at all, or (at the end) some files could not be enhanced.
    """
    jobs = plan_files(Path(config.input), Path(config.output), config.format)
    model = load_model(config)
    options = EnhanceOptions(
        seed=config.seed,
        chunk_s=config.chunk_s,
        overlap_s=config.overlap_s,
        batch_size=config.batch_size,
        cutoff_hz=config.cutoff_hz,
        prompt=str(config.prompt or ""),
        rolloff=config.rolloff,
    )
    failures: list[str] = []
    begin, audio_s = time.perf_counter(), 0.0
    for source, target in jobs:
        try:
            done = enhance_file(model, source, target, options)
        except AudioError as error:
            failures.append(str(error))
            if len(jobs) > 1:
                logger.warning("Skipped: %s", error)
            continue
        audio_s += done.duration_s
        what = f"restored above {done.cutoff_hz:.0f} Hz" if done.restored else "already full band, only resampled"
        logger.info("%s -> %s (%s)", source, target, what)
    seconds = time.perf_counter() - begin
    if len(jobs) == 1 and failures:
        raise AudioError(failures[0])
    logger.info("%d of %d files, %.1f s of audio in %.1f s", len(jobs) - len(failures), len(jobs), audio_s, seconds)
    if failures:
        raise AudioError(f"{len(failures)} of {len(jobs)} files could not be enhanced: " + " ".join(failures))


def load_model(config: DictConfig) -> SuperResolver:
    """The model package `config.model` with the settings of sampling and low band that `config` gives.

    Raises:
        PackageError: the package cannot be read.
        ConfigError: settings that there are not.
    """
    device = pick_device(config.device)
    if device.type == "cpu":
        keep_memory()
    model = open_model(config.model).to(device)
    given = config.sampler
    model.sampler = Sampler(
        solver=given.solver or model.sampler.solver,
        steps=model.sampler.steps if given.steps is None else given.steps,
        power=model.sampler.power if given.power is None else given.power,
        noise=given.noise or model.sampler.noise,
    )
    if config.low_band is not None:
        model.low_band = checked_mode(config.low_band)
    model.guidance = choose_guidance(model.guidance, config.guidance)
    if any(value is not None for value in config.guidance.values()):
        check_guidable(model)
    return model


def check_guidable(model: SuperResolver) -> None:
    """See whether the model has learned to go without what its guidance leaves out.

    Raises:
        ConfigError: it has not, and the guidance would do nothing.
    """
    wanted = branches(model.guidance.weights, ("acoustic", "text", "rolloff"))
    if len(wanted) > 1 and len(branches(model.guidance.weights, model.conditioner.conditions)) == 1:
        raise ConfigError(
            "This model was trained without dropping its conditions, so it cannot be guided; leave the guidance "
            "settings out, or train it with conditioning.acoustic.dropout=0.1."
        )


def choose_guidance(own: Guidance, given: Mapping[str, Any]) -> Guidance:
    """The model's `own` guidance with the settings that are `given`, or another `kind` of it.

    Raises:
        ConfigError: an unknown kind, or a scale that it does not have.
    """
    kind = given["kind"]
    if kind is not None and kind not in GUIDANCES:
        raise ConfigError(f"guidance.kind={kind} is not known; choose one of {', '.join(GUIDANCES)}.")
    chosen = GUIDANCES[kind]() if kind else own
    scales = {name: value for name, value in given.items() if name != "kind" and value is not None}
    for name in scales:
        if name not in vars(chosen):
            raise ConfigError(
                f"guidance.{name} is not a scale of {type(chosen).__name__}, which has {', '.join(vars(chosen))}; "
                f"give one of these or guidance.kind={'|'.join(GUIDANCES)}."
            )
    return type(chosen)(**{**vars(chosen), **scales})


def plan_files(source: Path, output: Path, suffix: str) -> list[tuple[Path, Path]]:
    """Which file is written where.

    Args:
        source: a file, or a folder that is searched recursively.
        output: a file with an audio suffix (for one file), or a folder.
        suffix: format of files in a folder, such as `flac`.

    Raises:
        AudioError: nothing to read.
        ConfigError: an unknown format, a folder to be written to one file, or an output that is its own input.
    """
    if f".{suffix}" not in SUFFIXES:
        raise ConfigError(f"format={suffix!r} is not known; choose one of {', '.join(s[1:] for s in SUFFIXES)}.")
    to_file = output.suffix.lower() in SUFFIXES and not output.is_dir()
    if not source.is_dir():
        jobs = [(source, output if to_file else output / f"{source.stem}.{suffix}")]
    elif to_file:
        raise ConfigError(f"input={source} is a folder but output={output} is one file; give a folder as output.")
    else:
        found = [path for path in find_audio(source) if output.resolve() not in path.resolve().parents]
        stems = [path.with_suffix("") for path in found]
        jobs = []
        for path, stem in zip(found, stems, strict=True):
            # song.wav beside song.mp3 become song.wav.flac and song.mp3.flac.
            name = path.name if stems.count(stem) > 1 else path.stem
            jobs.append((path, output / path.relative_to(source).parent / f"{name}.{suffix}"))
    for path, target in jobs:
        if path.resolve() == target.resolve():
            raise ConfigError(f"{path} would be overwritten by its own result; give another output.")
    return jobs
