"""How a method treats what listeners take for granted: level, polarity, the stereo picture, the low band, and joins."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from tqdm import tqdm

from saga_sr.audio.degradation import LowPassFilter, degrade
from saga_sr.core.errors import SagaError
from saga_sr.evaluation.bands import (
    COHERENCE_N_FFT,
    HIGH,
    Bands,
    coherence,
    error_db,
    high_correlation,
    inner_spectrum,
    level_difference_db,
    low_band_error_db,
    pan_db,
)
from saga_sr.evaluation.comparison import LOW_PASS, Clip, Method, Row, aligned, checked
from saga_sr.evaluation.invariance_figures import CHANGE_S, FIGURES, GAINS_DB, PAN_DB

logger = logging.getLogger(__name__)

Enhance = Callable[[Tensor], Tensor]

# How many of the clips are taken, and how much of each: its loudest stretch.
CLIPS, SECONDS = 2, 1.5


@dataclass
class Invariances:
    """What came of it: the figures of every clip at every cutoff, and what failed (clip, cutoff and reason)."""

    rows: list[Row] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def cutoffs_hz(self) -> list[int]:
        """The cutoffs, in order."""
        return list(dict.fromkeys(row.cutoff_hz for row in self.rows))

    def worst(self, cutoff_hz: int, figure: str) -> float:
        """Of the clips' figures, the one furthest from its ideal."""
        values = [row.metrics[figure] for row in self.rows if row.cutoff_hz == cutoff_hz]
        return max(values, key=lambda value: abs(value - FIGURES[figure].ideal))

    def summary(self) -> dict[str, dict[str, float]]:
        """The worst of the clips: `{"4000": {figure: x}}`."""
        return {
            str(cutoff): {figure: float(f"{self.worst(cutoff, figure):.5g}") for figure in FIGURES}
            for cutoff in self.cutoffs_hz
        }


def measure_invariances(
    clips: Sequence[Clip], method: Method, chunked: Method, cutoffs_hz: Sequence[int], sample_rate: int
) -> Invariances:
    """The `FIGURES` of a method, on the first few of `clips` that sound, low-passed as in `compare_methods`.

    Args:
        clips: references.
        method: `(lr [b, c, time], cutoff_hz [b], captions) -> [b, c, time]`, of one and two channels.
        chunked: the same method in chunks of `CHUNK_S` with `OVERLAP_S` between them.
        cutoffs_hz: in Hz.
        sample_rate: of everything, in Hz.
    """
    result = Invariances()
    chosen = [clip for clip in clips if clip.audio.any()][:CLIPS]
    count = min([round(SECONDS * sample_rate), *(clip.audio.shape[-1] for clip in chosen)])
    sources = [loudest_stretch(clip.audio, count) for clip in chosen]
    work = [(cutoff, i) for cutoff in cutoffs_hz for i in range(len(chosen))]
    for cutoff, i in tqdm(work, desc="Level, stereo and low band", unit="clip", delay=2, leave=False):
        # Backwards, so that a clip is another even beside itself.
        pair = torch.stack([sources[i], sources[(i + 1) % len(sources)].flip(0)])
        filters = [LowPassFilter(*LOW_PASS, cutoff)] * 2
        lr = degrade(pair[:, None], filters, sample_rate)[:, 0]
        whole, in_chunks = (bound_to(either, cutoff, chosen[i].caption) for either in (method, chunked))
        try:
            figures = measure_clip(lr, whole, in_chunks, Bands(cutoff, sample_rate))
        except SagaError as error:
            result.failures.append(f"{chosen[i].name} at {cutoff} Hz: {error}")
            continue
        result.rows.append(Row(chosen[i].name, cutoff, "output", figures))
    if result.failures:
        logger.warning("Without level, stereo and low-band figures:\n%s", "\n".join(result.failures))
    return result


def loudest_stretch(audio: Tensor, count: int) -> Tensor:
    """`count` samples of the loudest channel of `audio` [c, time], about where it is loudest: [count]."""
    channel = audio[audio.square().sum(dim=1).argmax()]
    stretches = channel.unfold(0, count, max(1, count // 4))
    return stretches[stretches.square().sum(dim=1).argmax()]


def bound_to(method: Method, cutoff_hz: float, caption: str) -> Enhance:
    """`method` for batches that all have this cutoff and caption."""

    def enhance(lr: Tensor) -> Tensor:
        output = method(lr, torch.full((len(lr),), float(cutoff_hz)), [caption] * len(lr)).cpu()
        return checked("output", output, lr)

    return enhance


def measure_clip(lr: Tensor, enhance: Enhance, chunked: Enhance, bands: Bands) -> dict[str, float]:
    """The `FIGURES` of one clip beside another one, `lr` [2, time]."""
    clip = lr[0]
    gains = [10 ** (gain_db / 20) for gain_db in GAINS_DB]
    plain, *scaled, inverted = enhance(torch.stack([clip, *(gain * clip for gain in gains), -clip])[:, None])[:, 0]
    joined = chunked(clip[None, None])[0, 0]
    return {
        **gain_figures(plain, dict(zip(gains, scaled, strict=True)), bands),
        "passages_db": passages_db(enhance, clip, gains[0], (plain, scaled[0]), bands),
        "polarity_error_db": error_db(-inverted, plain),
        **stereo_figures(enhance, lr, bands),
        "low_band_error_db": low_band_error_db(plain, clip, bands),
        "chunks_error_db": error_db(joined, plain),
        "chunks_level_db": level_difference_db(joined, plain, bands),
    }


def gain_figures(plain: Tensor, scaled: dict[float, Tensor], bands: Bands) -> dict[str, float]:
    """Those of the result `plain` [time] beside the results of the clip `scaled` by gains."""
    levels = [bands.high_to_low_db(result) for result in (plain, *scaled.values())]
    return {
        "gain_error_db": max(error_db(result / gain, plain) for gain, result in scaled.items()),
        "gain_high_band_db": max(levels) - min(levels),
    }


def passages_db(enhance: Enhance, clip: Tensor, gain: float, alone: tuple[Tensor, Tensor], bands: Bands) -> float:
    """The figure of `clip` [time] followed by itself times `gain`, whose results are `alone`."""
    count = len(clip)
    beside = min(round(CHANGE_S * bands.sample_rate), count // 2)
    together = enhance(torch.cat([clip, gain * clip])[None, None])[0, 0].split(count)
    parts = slice(0, count - beside), slice(beside, count)
    differences = [
        bands.high_to_low_db(passage[part]) - bands.high_to_low_db(single[part])
        for passage, single, part in zip(together, alone, parts, strict=True)
    ]
    return max(differences, key=abs)


def stereo_figures(enhance: Enhance, lr: Tensor, bands: Bands) -> dict[str, float]:
    """Those of one and of two sources `lr` [2, time] in two channels."""
    clip = lr[0]
    soft = 10 ** (-PAN_DB / 20) * clip
    inputs = [(clip, soft), (clip, -clip), (clip, clip), (clip, 0 * clip), (clip, lr[1]), (lr[1], clip)]
    results = enhance(torch.stack([torch.stack(channels) for channels in inputs]))
    panned, antiphase, dual, beside_silence, two, swapped = results
    spectrum = inner_spectrum(panned)
    return {
        "pan_db": pan_db(bands.high(spectrum)) - pan_db(bands.low(spectrum)),
        "antiphase_correlation": high_correlation(inner_spectrum(antiphase), bands),
        "dual_mono_db": error_db(dual[1], dual[0]),
        "empty_channel_peak": float(beside_silence[1].abs().max()),
        "coherence": coherence(two, bands.between(HIGH, torch.inf, COHERENCE_N_FFT))
        - coherence(two, bands.between(0.5, 1, COHERENCE_N_FFT)),
        "swap_error_db": error_db(swapped.flip(0), two),
    }


def invariances_table(result: Invariances) -> str:
    """The worst of the clips as a plain-text table, a line per figure; it is Markdown too."""
    head = ["level, stereo, low band", "right", *(f"{cutoff / 1000:g} kHz" for cutoff in result.cutoffs_hz)]
    rows = [
        [figure.title, figure.right, *(figure.text(result.worst(cutoff, name)) for cutoff in result.cutoffs_hz)]
        for name, figure in FIGURES.items()
    ]
    return aligned(head, rows)
