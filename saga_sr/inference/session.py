"""What every way of enhancing goes through: measure, cut off, condition, restore, take the low band from the input."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, groupby, islice
from typing import NamedTuple

import torch
from torch import Tensor

from saga_sr.audio.degradation import FULL_BAND, cut_above
from saga_sr.audio.edges import Edge
from saga_sr.audio.low_band import checked_mode, replace_low_band
from saga_sr.audio.pre_echo import pre_echo_gain
from saga_sr.audio.reference_frame import TARGET_RMS, ReferenceFrame, level_context, level_step
from saga_sr.audio.silence import presence
from saga_sr.core.errors import ConfigError
from saga_sr.inference.chunks import ChunkPlan, CrossFade, Span, plan_chunks
from saga_sr.inference.measurement import Heard, hear
from saga_sr.inference.noise import PositionalNoise
from saga_sr.inference.progress import Watch
from saga_sr.inference.recordings import Recording
from saga_sr.inference.sections import Section, plan_sections, settled
from saga_sr.inference.settings import EnhanceSettings
from saga_sr.inference.together import Together
from saga_sr.model import BranchConditioning, SuperResolver

LOWEST_CUTOFF_HZ = 100.0


@dataclass(frozen=True)
class Part:
    """What is restored with one conditioning: channels of one recording, or those of several that are mono.

    Attributes:
        cutoffs_hz: where the content of each recording ends in these channels, and `knees_hz` where it begins to.
        frames: in which each is restored.
        noise: number of the first component's noise.
    """

    channels: tuple[int, ...]
    cutoffs_hz: list[float]
    knees_hz: list[float]
    frames: list[ReferenceFrame]
    conditioning: BranchConditioning
    noise: int = 0


@dataclass(frozen=True)
class Look:
    """What a group of recordings was seen to be.

    Attributes:
        edges: of each channel of the first of them.
        sections: each with what is restored in it, nothing where nothing is missing.
        heard: what was measured of it; None where it was told where content ends.
    """

    edges: list[list[Edge]]
    sections: list[tuple[Section, list[Part]]]
    heard: Heard | None = None

    @property
    def restores(self) -> bool:
        """Whether anything is generated at all."""
        return any(parts for _, parts in self.sections)


class _Stretch(NamedTuple):
    """A span of a recording with what its level depends on: `audio` [c, time] from the sample `first` on."""

    span: Span
    first: int
    audio: Tensor
    sample_rate: int

    @property
    def presence(self) -> Tensor:
        """How much may be added to the span, [c, time]: nothing in digital silence."""
        return self.cut_out(presence(self.audio, self.sample_rate))

    def cut_out(self, audio: Tensor) -> Tensor:
        """What of `audio` [..., time] that begins at `first` lies in the span."""
        return audio[..., self.span[0] - self.first : self.span[1] - self.first]


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
        self.together = Together(settings.batch_size)
        self.noise = PositionalNoise(model.codec.latent_dim, settings.seed)
        self.plan: ChunkPlan = plan_chunks(
            settings.chunk_s, settings.overlap_s, model.sample_rate, model.codec.hop_length
        )

    def look(self, recording: Recording, steady: bool = False) -> Look:
        """Measure a recording, unless it is told where its content ends.

        Args:
            steady: whether each channel has one edge throughout, that of its longest stretch.

        Raises:
            ConfigError: a cutoff outside the band or of too many channels, or a prompt or roll-off that the model
                cannot use.
        """
        edges, heard = self._edges(recording)
        if steady:
            edges = [[max(channel, key=lambda edge: edge.end_s - edge.begin_s)] for channel in edges]
        excerpts = recording.excerpts()
        made: dict[tuple[float, tuple[int, ...], int], list[Part]] = {}
        knees_hz = {edge.hz: edge.knee_hz for channel in edges for edge in channel}
        sections = []
        for section in plan_sections(edges, self.model.sample_rate):
            parts, noise = [], 0
            for hz, channels in section.groups():
                key = hz, channels, noise
                if key not in made:
                    clips, prompts = [excerpts[list(channels)]], [self.settings.prompt]
                    made[key] = self._parts(clips, channels, [hz], [knees_hz[hz]], prompts, noise)
                parts += made[key]
                noise += len(channels)
            sections.append((section, parts))
        return Look(edges, sections, heard)

    def condition(self, clips: Sequence[Tensor], cutoffs_hz: list[float], prompts: Sequence[str]) -> Look:
        """What a group of `clips` [c, time] is conditioned on, whose content is known to end at `cutoffs_hz`.

        Raises:
            ConfigError: see `look`.
        """
        channels = tuple(range(len(clips[0])))
        edges = [[Edge(0.0, float("inf"), checked_cutoff(cutoffs_hz[0], self.model.sample_rate))] for _ in channels]
        section = plan_sections(edges, self.model.sample_rate)[0]
        return Look(edges, [(section, self._parts(clips, channels, cutoffs_hz, cutoffs_hz, prompts))])

    def _edges(self, recording: Recording) -> tuple[list[list[Edge]], Heard | None]:
        """The edges of each channel: as the settings say, or as they are measured, and what was."""
        count, given = recording.reader.info.channels, self.settings.cutoff_hz
        listed = list(given) if isinstance(given, list) else [given] * count
        if len(listed) != count:
            raise ConfigError(
                f"cutoff_hz={given} is of {len(listed)} channels where the recording has {count}; give one for each, "
                "null for those to be measured."
            )
        rate, info = self.model.sample_rate, recording.reader.info
        heard = hear(info, recording.blocks()) if None in listed else None
        edges = [[]] * count if heard is None else settled(heard.edges, info.sample_rate, rate)
        told = [
            channel if hz is None else told_edges(hz, recording.length / rate, rate)
            for hz, channel in zip(listed, edges, strict=True)
        ]
        return told, heard

    def _parts(
        self, clips: Sequence[Tensor], channels: tuple[int, ...], cutoffs_hz: list[float], knees_hz: list[float],
        prompts: Sequence[str], noise: int = 0,
    ) -> list[Part]:  # fmt: skip
        """What restores these `channels` of `clips`, or excerpts, [c, time]; none where nothing is missing."""
        rate, settings = self.model.sample_rate, self.settings
        cutoff_hz = torch.tensor([checked_cutoff(hz, rate) for hz in cutoffs_hz])
        if float(cutoff_hz.min()) >= FULL_BAND * rate / 2:
            return []
        lr = cut_above(torch.stack(list(clips)), cutoff_hz, rate)
        frames = [ReferenceFrame.of(clip, rate) for clip in lr]
        if not any(frame.rms for frame in frames):
            return []  # silence
        conditioning = self.model.prepare_conditioning(
            lr.to(self.device), cutoff_hz, prompts, settings.rolloff, settings.wishes, self.guidance
        )
        return [Part(channels, cutoffs_hz, knees_hz, frames, conditioning, noise)]

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
        for _, same_length in groupby(self.plan.spans(group[0].length), key=lambda span: span[1] - span[0]):
            while spans := list(islice(same_length, self.together.count if len(group) == 1 else 1)):
                yield from self.together.work(spans, lambda some: self.restore(group, some, look))

    def restore(self, group: Sequence[Recording], spans: Sequence[Span], look: Look) -> Tensor:
        """The results [span, recording, c, time] of equally long `spans` of each recording, before any cross-fade."""
        read = [[self._read(recording, span) for recording in group] for span in spans]
        result = torch.stack([torch.stack([stretch.cut_out(stretch.audio) for stretch in row]) for row in read])
        for section, parts in look.sections:
            shares = {i: section.share(span, self.model.sample_rate) for i, span in enumerate(spans)}
            shares = {i: share for i, share in shares.items() if share is not None}
            for part in parts if shares else []:
                added = self._added([stretch for i in shares for stretch in read[i]], part)
                for (i, share), of_span in zip(shares.items(), added.split(len(group)), strict=True):
                    channels = list(part.channels)
                    present = torch.stack([stretch.presence[channels] for stretch in read[i]])
                    result[i][:, channels] += present * (share * of_span)
        return result

    def reach(self, span: Span) -> Span:
        """What of a recording the result of `span` depends on."""
        step, context = level_step(self.model.sample_rate), level_context(self.model.sample_rate)
        return max(span[0] - context, 0) // step * step, span[1] + context

    def _read(self, recording: Recording, span: Span) -> _Stretch:
        first, last = self.reach(span)
        audio = recording.read(first, min(last, recording.length))
        return _Stretch(span, first, audio, recording.sample_rate)

    def _added(self, stretches: Sequence[_Stretch], part: Part) -> Tensor:
        """What restoring adds to the `part` of stretches, [stretch, c, time].

        Args:
            stretches: of each recording in turn, once or several times.
        """
        rate, recordings = self.model.sample_rate, len(part.frames)
        edge, knee = torch.tensor([part.cutoffs_hz, part.knees_hz]).repeat(1, len(stretches) // recordings)
        # What a frame smears to before an attack lies within its window.
        smear = 2 * self.model.codec.hop_length
        shown, levels, noise, own = [], [], [], []
        for i, stretch in enumerate(stretches):
            frame, audio = part.frames[i % recordings], stretch.audio[list(part.channels)]
            components = frame.components(cut_above(audio[None], edge[i : i + 1], rate)[0])
            level = frame.level(components)
            shown.append(stretch.cut_out(components * frame.gain(level)))
            levels.append(stretch.cut_out(level * pre_echo_gain(components, rate, smear)))
            own.append(stretch.cut_out(audio))
            first = stretch.span[0] // self.model.codec.hop_length
            noise += [(part.noise + component, first) for component in range(len(components))]
        draws = count()

        def draw_noise(frames: int) -> Tensor:
            draw = next(draws)
            return torch.stack([self.noise(component, first, frames, draw) for component, first in noise])

        output = self.model.restore(
            torch.cat(shown)[:, None].to(self.device),
            part.conditioning,
            draw_noise,
            edge.repeat_interleave(torch.tensor([len(x) for x in shown])),
            self.sampler,
        )[:, 0].cpu()
        restored = [
            part.frames[i % recordings].channels(components * level / TARGET_RMS)
            for i, (components, level) in enumerate(zip(output.split([len(x) for x in shown]), levels, strict=True))
        ]
        lr = torch.stack(own)
        return replace_low_band(torch.stack(restored), lr, edge, rate, self.low_band, knee) - lr


def told_edges(cutoff_hz: float | list[list[float]], duration_s: float, sample_rate: int) -> list[Edge]:
    """The edges of a channel as `EnhanceSettings.cutoff_hz` tells them: one, or from each of some seconds on another.

    Raises:
        ConfigError: one lies outside the band.
    """
    told = cutoff_hz if isinstance(cutoff_hz, list) else [[0.0, cutoff_hz]]
    ends = [*(begin_s for begin_s, _ in told[1:]), duration_s]
    return [
        Edge(begin_s, end_s, checked_cutoff(hz, sample_rate)) for (begin_s, hz), end_s in zip(told, ends, strict=True)
    ]


def checked_cutoff(cutoff_hz: float, sample_rate: int) -> float:
    """`cutoff_hz`, if a model of this rate can restore what is above.

    Raises:
        ConfigError: it lies outside the band.
    """
    if not LOWEST_CUTOFF_HZ <= cutoff_hz <= sample_rate / 2:
        raise ConfigError(
            f"cutoff_hz={cutoff_hz:g} lies outside {LOWEST_CUTOFF_HZ:g} Hz to {sample_rate / 2:g} Hz; give where the "
            "recording's content ends, or leave it out to have it measured."
        )
    return cutoff_hz
