"""What a command would do, without doing it."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch
from omegaconf import DictConfig

from saga_sr.audio.timecode import clock
from saga_sr.core.errors import AudioError, SagaError
from saga_sr.files.reading import AudioReader
from saga_sr.inference.enhancer import Enhancer
from saga_sr.inference.finite import FiniteReader
from saga_sr.inference.jobs import Job
from saga_sr.inference.output import Output
from saga_sr.inference.recordings import Recording
from saga_sr.inference.restoring import load_enhancer
from saga_sr.inference.session import Session
from saga_sr.inference.summary import restoring

# What is restored to see how long that takes.
TRIED_S, TRIED_RATE = 5, 8000


def show(config: DictConfig, jobs: Sequence[Job], kept: int, failures: Sequence[str]) -> None:
    """Print what would become of `jobs`: durations, edges, and about how long it would take.

    Args:
        kept: how many results are there already.
        failures: what cannot be done, a sentence each.

    Raises:
        AudioError: some files cannot be read.
        SagaError: the model cannot be used.
    """
    wrong = list(failures)
    audio_s = restored_s = 0.0
    enhancer = load_enhancer(config) if jobs else None
    for job in jobs:
        assert enhancer is not None
        try:
            duration_s, to_restore_s, said = look(enhancer, job)
        except (SagaError, OSError) as error:
            wrong.append(str(error))
            print(f"{job.source}: {error}", flush=True)
            continue
        audio_s += duration_s
        restored_s += to_restore_s
        print(f"{job.source} -> {job.target} ({clock(duration_s).strip()}, {said})", flush=True)
    speed = measure_speed(enhancer) if enhancer is not None and restored_s else 0.0
    takes = ""
    if speed:
        seconds = restored_s / speed / (config.jobs or 1)
        takes = f", about {clock(seconds).strip()} at {speed:.3g} x real time (mono)"
    there = f", {kept} are there already" if kept else ""
    print(f"{len(jobs)} files would be made, {clock(audio_s).strip()} of audio{takes}{there}.")
    if wrong:
        raise AudioError(f"{len(wrong)} files could not be enhanced: {' '.join(wrong[:3])}")


def look(enhancer: Enhancer, job: Job) -> tuple[float, float, str]:
    """How long a recording is, in seconds, the same of all channels if it is to be restored, and its edges in words.

    Raises:
        AudioError: it cannot be read, or its result not be written.
    """
    session = Session(enhancer.model, enhancer.settings)
    settings = session.settings
    with AudioReader(job.source, flawless=False, stream=settings.stream, strict=settings.strict, copied=True) as file:
        with Output(job.target, settings, file.file, file.info, enhancer.sample_rate):
            pass  # what cannot be written is said
        recording = Recording(FiniteReader(file, settings.nan, str(job.source)), enhancer.sample_rate)
        seen = session.look(recording)
        said = restoring(seen.edges, enhancer.sample_rate, seen.heard)
        duration_s = recording.length / enhancer.sample_rate
        return duration_s, duration_s * file.info.channels if seen.restores else 0.0, said


def measure_speed(enhancer: Enhancer) -> float:
    """Seconds of mono that are restored in a second, tried on noise; nothing is read or written."""
    noise = 0.1 * torch.randn(TRIED_S * TRIED_RATE, generator=torch.Generator().manual_seed(0))
    for _ in range(2):  # the first one warms up
        begin = time.perf_counter()
        enhancer(noise, TRIED_RATE, cutoff_hz=TRIED_RATE / 2)
    return TRIED_S / (time.perf_counter() - begin)
