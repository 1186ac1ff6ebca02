"""What every way of enhancing goes through: measure, cut off, condition, restore, take the low band from the input."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice

import torch
from torch import Tensor

from saga_sr.audio.degradation import FULL_BAND, cut_above
from saga_sr.audio.low_band import checked_mode, replace_low_band
from saga_sr.audio.reference_frame import TARGET_RMS, ReferenceFrame, level_context, level_step
from saga_sr.audio.spectrum import bandwidth_hz
from saga_sr.core.errors import ConfigError
from saga_sr.inference.chunks import ChunkPlan, CrossFade, Span, plan_chunks
from saga_sr.inference.noise import PositionalNoise
from saga_sr.inference.progress import Watch
from saga_sr.inference.recordings import Recording
from saga_sr.inference.settings import EnhanceSettings
from saga_sr.model import BranchConditioning, SuperResolver

LOWEST_CUTOFF_HZ = 100.0


@dataclass(frozen=True)
class Look:
    """What a group of recordings was seen to be.

    Attributes:
        cutoffs_hz: where the content of each ends.
        frames: in which each is restored.
        conditioning: what all are conditioned on; None where nothing is missing, and they are only resampled.
    """

    cutoffs_hz: list[float]
    frames: list[ReferenceFrame]
    conditioning: BranchConditioning | None


class Session:
    """A model with the settings of one call.

    Recordings of one group are of one length and number of channels, and go through the network together.

    Raises:
        ConfigError: settings that are not possible, or that the model cannot use.
    """

    def __init__(self, model: SuperResolver, settings: EnhanceSettings) -> None:
        self.model = model
        self.settings = settings
        self.device = next(model.parameters()).device
        self.sampler = model.sampler.changed(**vars(settings.sampler))
        self.guidance = model.changed_guidance(**vars(settings.guidance))
        self.low_band = model.low_band if settings.low_band is None else checked_mode(settings.low_band)
        self.noise = PositionalNoise(model.codec.latent_dim, settings.seed)
        self.plan: ChunkPlan = plan_chunks(
            settings.chunk_s, settings.overlap_s, model.sample_rate, model.codec.hop_length
        )

    def look(self, recording: Recording, excerpts: Tensor | None = None) -> Look:
        """Measure a recording on `excerpts` [c, time], by default from all over it, unless its cutoff is given.

        Raises:
            ConfigError: a cutoff outside the band, or a prompt or roll-off that the model cannot use.
        """
        excerpts = recording.excerpts() if excerpts is None else excerpts
        cutoff_hz = self.settings.cutoff_hz
        if cutoff_hz is None:
            cutoff_hz = float(bandwidth_hz(excerpts[None], self.model.sample_rate)[0])
        return self.condition([excerpts], [cutoff_hz], [self.settings.prompt])

    def condition(self, excerpts: Sequence[Tensor], cutoffs_hz: list[float], prompts: Sequence[str]) -> Look:
        """What a group of recordings is conditioned on, of `excerpts` [c, time] of each.

        Raises:
            ConfigError: see `look`.
        """
        rate = self.model.sample_rate
        for cutoff_hz in cutoffs_hz:
            if not LOWEST_CUTOFF_HZ <= cutoff_hz <= rate / 2:
                raise ConfigError(
                    f"cutoff_hz={cutoff_hz:g} lies outside {LOWEST_CUTOFF_HZ:g} Hz to {rate / 2:g} Hz; give where the "
                    "recording's content ends, or leave it out to have it measured."
                )
        lr = cut_above(torch.stack(list(excerpts)), torch.tensor(cutoffs_hz), rate)
        frames = [ReferenceFrame.of(clip, rate) for clip in lr]
        if min(cutoffs_hz) >= FULL_BAND * rate / 2:
            return Look(cutoffs_hz, frames, None)
        settings = self.settings
        conditioning = self.model.prepare_conditioning(
            lr.to(self.device), torch.tensor(cutoffs_hz), prompts, settings.rolloff, settings.wishes, self.guidance
        )
        return Look(cutoffs_hz, frames, conditioning)

    def whole(self, group: Sequence[Recording], look: Look, watch: Watch) -> Tensor:
        """The whole results [recording, c, time] of a group."""
        rate, length = self.model.sample_rate, group[0].length
        result = torch.empty(len(group), group[0].reader.info.channels, length)
        fade, done = CrossFade(self.plan), 0
        for (_, end), chunk in self.chunks(group, look):
            final = fade.join(chunk, end == length)
            result[..., done : done + final.shape[-1]] = final
            done += final.shape[-1]
            watch.at(end / rate)
        return result

    def chunks(self, group: Sequence[Recording], look: Look) -> Iterator[tuple[Span, Tensor]]:
        """Each chunk of a group's results, [recording, c, time]: `batch_size` chunks at a time of one recording."""
        together = self.settings.batch_size if len(group) == 1 else 1
        for _, same_length in groupby(self.plan.spans(group[0].length), key=lambda span: span[1] - span[0]):
            while spans := list(islice(same_length, together)):
                yield from zip(spans, self.restore(group, spans, look), strict=True)

    def restore(self, group: Sequence[Recording], spans: Sequence[Span], look: Look) -> Tensor:
        """The results [span, recording, c, time] of equally long `spans` of each recording, before any cross-fade."""
        audio = torch.stack([recording.read(*span) for span in spans for recording in group])
        if look.conditioning is not None:
            pairs = [(recording, span, i) for span in spans for i, recording in enumerate(group)]
            framed = [self._framed(recording, span, look, i) for recording, span, i in pairs]
            shown = torch.cat([components for components, _ in framed])[:, None].to(self.device)
            noise = [
                (component, span[0] // self.model.codec.hop_length)
                for (_, span, _), (components, _) in zip(pairs, framed, strict=True)
                for component in range(len(components))
            ]
            output = self.model.restore(
                shown,
                look.conditioning,
                lambda n: torch.stack([self.noise(component, first, n) for component, first in noise]),
                self.sampler,
            )[:, 0].cpu()
            parts = output.split([len(components) for components, _ in framed])
            output = torch.stack(
                [
                    look.frames[i].channels(part * level / TARGET_RMS)
                    for (_, _, i), (_, level), part in zip(pairs, framed, parts, strict=True)
                ]
            )
            edge = torch.tensor(look.cutoffs_hz * len(spans))
            audio = replace_low_band(output, audio, edge, self.model.sample_rate, self.low_band)
        return audio.unflatten(0, (len(spans), len(group)))

    def reach(self, span: Span) -> Span:
        """What of a recording the result of `span` depends on."""
        step, context = level_step(self.model.sample_rate), level_context(self.model.sample_rate)
        return max(span[0] - context, 0) // step * step, span[1] + context

    def _framed(self, recording: Recording, span: Span, look: Look, i: int) -> tuple[Tensor, Tensor]:
        """A stretch as the network is shown it, and its level: both [component, time]."""
        frame, (begin, end) = look.frames[i], span
        first, last = self.reach(span)
        last = min(last, recording.length)
        edge = torch.tensor([look.cutoffs_hz[i]])
        audio = cut_above(recording.read(first, last)[None], edge, frame.sample_rate)[0]
        components = frame.components(audio)
        level = frame.level(components)
        inside = slice(begin - first, end - first)
        return (components * frame.gain(level))[:, inside], level[:, inside]
