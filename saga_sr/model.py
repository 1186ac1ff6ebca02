"""`SuperResolver`: codec, conditioning, backbone and flow as one module - what a user loads, calls and ships."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn

from saga_sr.audio.low_band import checked_mode
from saga_sr.audio.reference_frame import reference_gain
from saga_sr.audio.spectrum import bandwidth_hz
from saga_sr.backbones.backbone import Backbone
from saga_sr.codecs.codec import Codec
from saga_sr.codecs.prepared import LatentStatistics
from saga_sr.conditioning import Conditioning, ConditionRequest
from saga_sr.conditioning.conditioner import Conditioner
from saga_sr.conditioning.types import ConditionValues
from saga_sr.core.errors import ConfigError
from saga_sr.core.hardware import has_fast_bfloat16
from saga_sr.core.random_numbers import Generators
from saga_sr.flow.guidance import Branch, Guidance, GuidedVelocity, JoinedBranches, Schedule, branches, changed
from saga_sr.flow.objective import Estimate, FlowMatching
from saga_sr.flow.sampler import Sampler


@dataclass(frozen=True)
class BranchConditioning:
    """What clips are restored by beside their own sound: made once, used in every step and for every chunk.

    Attributes:
        weights: of the guidance's branches.
        conditioning: of all branches, [branch * clip, ...], as the backbone prepared it.
        clips: how many clips it is for; 1 serves any number.
        schedule: when which branches are evaluated.
    """

    weights: Mapping[Branch, Any]
    conditioning: Conditioning
    clips: int
    schedule: Schedule


@dataclass(frozen=True)
class Pair:
    """Clips with their whole band and without: latents [b, latent_dim, frame], and the values of their conditions.

    What `z_lr` knows ends at `cutoff_hz` [b]. Losses may look at the channels of `z_hr` that are `known`, bool
    [b, latent_dim, 1]; all where that is None.
    """

    z_hr: Tensor
    z_lr: Tensor
    values: ConditionValues
    cutoff_hz: Tensor
    known: Tensor | None = None


class SuperResolver(nn.Module):
    """Restores missing high frequencies: low-passed audio in, wide-band audio out, both at `sample_rate`.

    Args:
        codec: waveform <-> latent; frozen.
        backbone: the network `(z_t, t, conditioning) -> prediction`.
        conditioner: makes the `Conditioning` of a low-resolution latent and of the values of the conditions.
        objective: reads the prediction as a velocity, and makes the training examples.
        sampler, guidance: what restoring uses unless it is given others.
        low_band: how the enhancer takes the output's low band from the input, see `replace_low_band`.

    Attributes:
        mixed_precision: whether sampling runs the network in bfloat16 where the processor is fast at it.

    Raises:
        ConfigError: parts that do not fit each other.
    """

    def __init__(
        self,
        codec: Codec,
        backbone: Backbone,
        conditioner: Conditioner,
        objective: FlowMatching,
        sampler: Sampler,
        guidance: Guidance,
        low_band: str = "crossfade",
    ) -> None:
        super().__init__()
        self.codec = codec.requires_grad_(False)
        self.backbone, self.conditioner = backbone, conditioner
        self.objective, self.sampler, self.guidance = objective, sampler, guidance
        self.low_band = checked_mode(low_band)
        self.mixed_precision = True
        self._check()

    def _check(self) -> None:
        if self.backbone.latent_dim != self.codec.latent_dim:
            raise ConfigError(
                f"backbone.latent_dim={self.backbone.latent_dim} differs from "
                f"codec.latent_dim={self.codec.latent_dim}; set it to ${{codec.latent_dim}}."
            )
        for name in ("cross_attention_dim", "global_dim"):
            given, read = getattr(self.conditioner, name), getattr(self.backbone, name)
            if given != read:
                raise ConfigError(
                    f"The conditioning gives {name}={given} but {type(self.backbone).__name__} reads {read}; choose "
                    "conditions that fit the backbone (JaT attends to none), or set "
                    f"backbone.{name}=${{conditioning.{name}}}."
                )

    @property
    def sample_rate(self) -> int:
        """Rate of input and output in Hz."""
        return self.codec.sample_rate

    @torch.no_grad()
    def fit_statistics(self, batches: Iterable[Tensor], normalise: bool = True) -> None:
        """Measure on `batches` of audio [b, c, time] what latents (unless not to `normalise`) and conditions are like.

        Raises:
            DataError: the batches hold no sound.
        """
        batches = self.conditioner.fit(batches, self.sample_rate)
        if normalise:
            self.codec.fit_statistics(reference_gain(batch, self.sample_rate) * batch for batch in batches)
        else:
            deque(batches, maxlen=0)

    def recall_statistics(self, statistics: LatentStatistics, where: str, normalise: bool = True) -> None:
        """Take what latents (unless not to `normalise`) and conditions are like from data that was prepared in `where`.

        Raises:
            DataError: they are of another codec.
        """
        statistics.check(self.codec, where)
        if normalise:
            self.codec.set_statistics(statistics.mean, statistics.deviation)
        self.conditioner.set_summaries(statistics.conditions)

    @torch.no_grad()
    def pair(
        self,
        hr: Tensor,
        lr: Tensor,
        captions: Sequence[str],
        cutoff_hz: Tensor | None = None,
        edge_hz: Tensor | None = None,
    ) -> Pair:
        """Training's view of clips `hr` [b, c, time] and their degraded `lr`.

        Args:
            cutoff_hz: where the content of `lr` ends, [b]; measured where it is not known.
            edge_hz: where that of `hr` ends, [b]: what is above teaches nothing. Nowhere where left out.
        """
        with torch.autocast(hr.device.type, enabled=False):
            cutoff_hz = bandwidth_hz(lr, self.sample_rate) if cutoff_hz is None else cutoff_hz
            values = self.conditioner.measure(hr, lr, captions, self.sample_rate, cutoff_hz)
            # As enhancing shows them.
            gain = reference_gain(lr, self.sample_rate)
        known = None if edge_hz is None else self.codec.channels_below(edge_hz)
        z_lr = self.codec.without_rounding(self._encode(gain * lr), cutoff_hz)
        return Pair(self._encode(gain * hr), z_lr, values, cutoff_hz.to(hr.device), known)

    def stored_pair(
        self,
        hr: Tensor,
        lr: Tensor,
        captions: Sequence[str],
        cutoff_hz: Tensor,
        measured: Mapping[str, Mapping[str, Tensor]],
        edge_hz: Tensor,
    ) -> Pair:
        """The same of raw latents [b, latent_dim, frame] and what was `measured` (see `Conditioner.recall`) before."""
        values = self.conditioner.recall(measured, captions, self.sample_rate, cutoff_hz)
        z_lr = self.codec.without_rounding(self.codec.normalise(lr), cutoff_hz)
        return Pair(self.codec.normalise(hr), z_lr, values, cutoff_hz, self.codec.channels_below(edge_hz))

    def estimate(self, pair: Pair, generators: Generators = None) -> Estimate:
        """What the network makes of a batch of pairs at random times, for a loss to judge."""
        start = self.objective.start(pair.z_lr, self.codec.channels_below(pair.cutoff_hz))
        example = self.objective.corrupt(pair.z_hr, generators, start)
        conditioning = self.conditioner(pair.z_lr, pair.values, generators)
        prediction = self.backbone(example.z_t, example.t, conditioning)
        estimate = self.objective.estimate(prediction.value, example, pair.z_lr, prediction.variance)
        return estimate if pair.known is None else estimate.within(pair.known)

    @torch.no_grad()
    def _encode(self, audio: Tensor) -> Tensor:
        with torch.autocast(audio.device.type, enabled=False):
            return self.codec.encode(audio)

    def changed_guidance(self, kind: str | None = None, **settings: Any) -> Guidance:
        """The model's guidance with the settings that are not None.

        Raises:
            ConfigError: see `saga_sr.flow.guidance.changed`; or the model has learned to go without no condition that
                the guidance leaves out, so that it would do nothing.
        """
        guidance = changed(self.guidance, kind, **settings)
        if guidance is self.guidance or not any(value is not None for value in (kind, *settings.values())):
            return guidance
        wanted = frozenset().union(*(branch for branch, weight in guidance.weights.items() if abs(weight) > 1e-9))
        if wanted and len(branches(guidance, self.conditioner.droppable)) == 1:
            raise ConfigError(
                "This model was trained without dropping its conditions, so it cannot be guided; leave the guidance "
                "settings out, or train it with conditioning.acoustic.dropout=0.1."
            )
        return guidance

    @torch.no_grad()
    def prepare_conditioning(
        self,
        audio: Tensor,
        cutoff_hz: Tensor,
        prompts: Sequence[str],
        rolloff: float | Tensor = 1.0,
        wishes: Mapping[str, Any] | None = None,
        guidance: Guidance | None = None,
    ) -> BranchConditioning:
        """What a user asks for, embedded for all branches of the `guidance`, by default the model's own.

        Args:
            audio, cutoff_hz, prompts, rolloff, wishes: see `ConditionRequest`.

        Raises:
            ConfigError: a prompt or roll-off that the model cannot use.
        """
        asked = {**(wishes or {}), **(guidance or self.guidance).wishes}
        request = ConditionRequest(audio, self.sample_rate, cutoff_hz, prompts, rolloff, asked)
        return self.branch_conditioning(self.conditioner.request(request), guidance)

    @torch.no_grad()
    def branch_conditioning(self, values: ConditionValues, guidance: Guidance | None = None) -> BranchConditioning:
        """The `values` of the conditions, embedded for all branches of the `guidance`, by default the model's own."""
        described, guidance = self.conditioner.describe(values), guidance or self.guidance
        weights = branches(guidance, {name for name in self.conditioner.droppable if not described.is_null(name)})
        stacked = Conditioning.stack([described.drop(dropped) for dropped in weights]).merge_zero_tokens()
        with self._autocast(values.device):
            return BranchConditioning(weights, self.backbone.prepare(stacked), values.clips, guidance.schedule)

    def velocity(self, z_lr: Tensor, branched: BranchConditioning) -> GuidedVelocity:
        """The guided velocity field for clips of latent `z_lr` [b, c, frame]: all branches in one forward."""
        clips = z_lr.shape[0]  # len() would fix the number of clips in an exported graph
        joined = self.conditioner.join_channels(Conditioning(), z_lr)
        concat = Conditioning.stack([joined.drop(dropped) for dropped in branched.weights]).concat
        conditioning = replace(branched.conditioning.repeat(clips // branched.clips), concat=concat)
        alone = conditioning if branched.schedule.is_always else conditioning.first(clips)

        def predict(z: Tensor, t: Tensor, n: int) -> tuple[Tensor, Tensor | None]:
            z_all, t_all = z.repeat(n, 1, 1), t.repeat(n)
            with self._autocast(z.device):
                prediction = self.backbone(z_all, t_all, conditioning if n == len(branched.weights) else alone)
            velocities = self.objective.velocity(prediction.value.float(), z_all, t_all)
            variance = None if prediction.variance is None else prediction.variance[:clips]
            return rearrange(velocities, "(n b) c f -> n b c f", n=n), variance

        return GuidedVelocity(JoinedBranches(predict, branched.weights, branched.schedule))

    def _autocast(self, device: torch.device) -> torch.autocast:
        return torch.autocast(device.type, torch.bfloat16, self.mixed_precision and has_fast_bfloat16(device.type))

    @torch.no_grad()
    def restore(
        self,
        lr: Tensor,
        conditioning: BranchConditioning,
        draw_noise: Callable[[int], Tensor],
        cutoff_hz: Tensor,
        sampler: Sampler | None = None,
    ) -> Tensor:
        """Generate wide-band audio [b, c, time] for low-passed `lr` [b, c, time], low band and all.

        Channels beyond the codec's own are restored side by side from the same noise.

        Args:
            draw_noise: given a number of frames, noise [b, latent_dim, frame]: of the start, then of steps that draw.
            cutoff_hz: where the content of each clip ends, [b].
            sampler: the model's own where left out.

        Raises:
            ConfigError: the codec cannot make the noise that the sampler starts from.
        """
        channels, length = lr.shape[1:]
        together = channels == self.codec.channels
        z_lr = self._encode(lr if together else rearrange(lr, "b c n -> (b c) 1 n"))
        repeats = 1 if together else channels
        noises = (draw_noise(z_lr.shape[2]).to(z_lr.device).repeat_interleave(repeats, dim=0) for _ in count())
        noise, cutoff_hz = next(noises), cutoff_hz.repeat_interleave(repeats, dim=0)
        z_lr = self.codec.without_rounding(z_lr, cutoff_hz)
        if (sampler := sampler or self.sampler).noise == "replicated":
            noise = self.codec.replicated(z_lr, cutoff_hz, noise)
        start = self.objective.start(z_lr, self.codec.channels_below(cutoff_hz.to(z_lr.device)))
        with self._autocast(z_lr.device):  # one context for all steps: weights are cast once
            z = sampler(self.velocity(z_lr, conditioning), noise, start=start, draw=noises.__next__)
        output = self.codec.decode(z, length)
        return output if together else rearrange(output.mean(dim=1), "(b c) n -> b c n", c=channels)
