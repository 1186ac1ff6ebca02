"""What every way of enhancing goes through: measure, cut off, condition, restore, take the low band from the input."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, islice

import torch
from torch import Tensor

from saga_sr.audio.degradation import FULL_BAND, cut_above
from saga_sr.audio.low_band import checked_mode, replace_low_band
from saga_sr.audio.spectrum import bandwidth_hz
from saga_sr.conditioning import ConditionRequest
from saga_sr.core.errors import ConfigError
from saga_sr.inference.chunks import ChunkPlan, CrossFade, Span, plan_chunks
from saga_sr.inference.noise import PositionalNoise
from saga_sr.inference.progress import Watch
from saga_sr.inference.recordings import Recording
from saga_sr.inference.settings import EnhanceSettings
from saga_sr.model import BranchConditioning, SuperResolver

LOWEST_CUTOFF_HZ = 100.0
# Where each recording of a group ends, and what all are conditioned on; without conditioning they are only resampled.
Look = tuple[list[float], BranchConditioning | None]


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
        if min(cutoffs_hz) >= FULL_BAND * rate / 2:
            return cutoffs_hz, None
        lr = cut_above(torch.stack(list(excerpts)).to(self.device), torch.tensor(cutoffs_hz), rate)
        settings = self.settings
        request = ConditionRequest(lr, rate, torch.tensor(cutoffs_hz), prompts, settings.rolloff, settings.wishes)
        return cutoffs_hz, self.model.prepare_conditioning(request, self.guidance)

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
        cutoffs_hz, conditioning = look
        audio = torch.stack([recording.read(*span) for span in spans for recording in group])
        if conditioning is not None:
            edge = torch.tensor(cutoffs_hz * len(spans))
            lr = cut_above(audio.to(self.device), edge, self.model.sample_rate)
            firsts = [begin // self.model.codec.hop_length for begin, _ in spans for _ in group]
            output = self.model.restore(
                lr, conditioning, lambda n: torch.stack([self.noise(first, n) for first in firsts]), self.sampler
            )
            audio = replace_low_band(output, lr, edge.to(self.device), self.model.sample_rate, self.low_band).cpu()
        return audio.unflatten(0, (len(spans), len(group)))
