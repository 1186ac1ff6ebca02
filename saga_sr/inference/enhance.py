"""Enhance one file: read, restore and write chunk by chunk, in memory that does not grow with its length."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from saga_sr.audio.degradation import FULL_BAND, cut_above
from saga_sr.audio.files import AudioReader, AudioWriter
from saga_sr.conditioning import ConditionRequest
from saga_sr.core.errors import AudioError, ConfigError
from saga_sr.inference.chunks import ChunkPlan, CrossFade, plan_chunks
from saga_sr.inference.noise import PositionalNoise
from saga_sr.inference.source import ResampledSource
from saga_sr.model import SuperResolver

logger = logging.getLogger(__name__)

SILENCE = 1e-5  # peak, -100 dBFS


@dataclass(frozen=True)
class EnhanceOptions:
    """How files are enhanced.

    Attributes:
        seed: of the starting noise; the same seed gives the same output.
        chunk_s, overlap_s: length of a chunk and of the cross-fade between neighbours, in seconds.
        batch_size: chunks restored together.
        cutoff_hz: where the input's content ends; measured per file where None.
        prompt: what the recordings contain.
        rolloff: how bright they become, 1 being full band.
    """

    seed: int = 0
    chunk_s: float = 10.0
    overlap_s: float = 1.0
    batch_size: int = 1
    cutoff_hz: float | None = None
    prompt: str = ""
    rolloff: float = 1.0


@dataclass(frozen=True)
class Enhanced:
    """What was done to a file: where its content ended, and whether anything was restored."""

    duration_s: float
    cutoff_hz: float
    restored: bool


def enhance_file(model: SuperResolver, source: Path, target: Path, options: EnhanceOptions) -> Enhanced:
    """Write `source` to `target` at the model's rate with its missing high frequencies restored.

    Channels are kept. `target` appears only when it is whole. A recording that fills the band already is only
    resampled.

    Raises:
        AudioError: the source cannot be read, is silent, or the target cannot be written.
        ConfigError: chunks that cannot be joined, a cutoff outside the band, or a prompt or roll-off that the model
            cannot use.
    """
    if options.batch_size < 1:
        raise ConfigError(f"batch_size={options.batch_size} must be at least 1.")
    with AudioReader(source) as reader:
        if reader.info.truncated:
            logger.warning("%s is shorter than its header says; what is there is enhanced.", source)
        audio = ResampledSource(reader, model.sample_rate)
        cutoff_hz = options.cutoff_hz or audio.bandwidth_hz()
        if not 100 <= cutoff_hz <= model.sample_rate / 2:
            raise ConfigError(
                f"cutoff_hz={cutoff_hz:g} for {source} lies outside 100 Hz to {model.sample_rate / 2:g} Hz; "
                "give where the recording's content ends, or leave it out to have it measured."
            )
        restore = cutoff_hz < FULL_BAND * model.sample_rate / 2
        plan = plan_chunks(audio.length, options.chunk_s, options.overlap_s, model.sample_rate, model.codec.hop_length)
        with AudioWriter(target, model.sample_rate, reader.info.channels) as writer:
            fade, peak = CrossFade(plan), 0.0
            chunks = _restored(model, audio, plan, cutoff_hz, options) if restore else _unchanged(audio, plan)
            for (begin, end), chunk in _shown(chunks, plan, source.name):
                writer.write(fade.join(chunk, begin, end))
                peak = max(peak, float(chunk.abs().max()))
            if peak < SILENCE:
                raise AudioError(f"{source} is silent, so there is nothing to restore; give a recording with sound.")
    return Enhanced(audio.length / model.sample_rate, cutoff_hz, restore)


Chunk = tuple[tuple[int, int], Tensor]


def _unchanged(audio: ResampledSource, plan: ChunkPlan) -> Iterator[Chunk]:
    for begin, end in plan:
        yield (begin, end), audio.read(begin, end)


def _restored(
    model: SuperResolver, audio: ResampledSource, plan: ChunkPlan, cutoff_hz: float, options: EnhanceOptions
) -> Iterator[Chunk]:
    noise = PositionalNoise(model.codec.latent_dim, options.seed)
    device = next(model.parameters()).device
    excerpts = cut_above(audio.excerpts()[None].to(device), torch.tensor([cutoff_hz]), model.sample_rate)
    request = ConditionRequest(
        excerpts, model.sample_rate, torch.tensor([cutoff_hz]), [options.prompt], options.rolloff
    )
    conditioning = model.prepare_conditioning(request)
    for _, same_length in groupby(plan, key=lambda span: span[1] - span[0]):
        spans = list(same_length)
        for i in range(0, len(spans), options.batch_size):
            batch = spans[i : i + options.batch_size]
            lr = torch.stack([audio.read(*span) for span in batch]).to(device)
            draw_noise = partial(_stacked, noise, [begin // model.codec.hop_length for begin, _ in batch])
            edge = torch.full((len(batch),), cutoff_hz)
            output = model.restore(cut_above(lr, edge, model.sample_rate), conditioning, edge, draw_noise)
            yield from zip(batch, output.cpu(), strict=True)


def _stacked(noise: PositionalNoise, firsts: list[int], frames: int) -> Tensor:
    return torch.stack([noise(first, frames) for first in firsts])


def _shown(chunks: Iterator[Chunk], plan: ChunkPlan, name: str) -> Iterator[Chunk]:
    count = sum(1 for _ in plan)
    return iter(tqdm(chunks, total=count, desc=name, unit="chunk", delay=2, leave=False))
