"""`SuperResolver`: codec, conditioning, backbone and flow as one module - what a user loads, calls and ships."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from einops import rearrange
from torch import Tensor, nn

from saga_sr.audio.degradation import cut_above
from saga_sr.audio.low_band import checked_mode, replace_low_band
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
from saga_sr.flow.guidance import Branch, Guidance, branches, combine
from saga_sr.flow.objective import Estimate, FlowMatching
from saga_sr.flow.sampler import Sampler


@dataclass(frozen=True)
class BranchConditioning:
    """What clips are restored by beside their own sound: made once, used in every step and for every chunk.

    Attributes:
        weights: of the guidance's branches.
        conditioning: of all branches, [branch * clip, ...], as the backbone prepared it.
        clips: how many clips it is for; 1 serves any number.
    """

    weights: dict[Branch, float]
    conditioning: Conditioning
    clips: int


@dataclass(frozen=True)
class Pair:
    """Clips with their whole band and without: latents [b, latent_dim, frame], and the values of their conditions."""

    z_hr: Tensor
    z_lr: Tensor
    values: ConditionValues


class SuperResolver(nn.Module):
    """Restores missing high frequencies: low-passed audio in, wide-band audio out, both at `sample_rate`.

    Args:
        codec: waveform <-> latent; frozen.
        backbone: the network `(z_t, t, conditioning) -> prediction`.
        conditioner: makes the `Conditioning` of a low-resolution latent and of the values of the conditions.
        objective: reads the prediction as a velocity, and makes the training examples.
        sampler, guidance: defaults for `enhance`; assign others to change them.
        low_band: how the output's low band is taken from the input, see `replace_low_band`.

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
        self.backbone = backbone
        self.conditioner = conditioner
        self.objective = objective
        self.sampler = sampler
        self.guidance = guidance
        self.low_band = checked_mode(low_band)
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
                    f"The conditioning gives {name}={given} but {type(self.backbone).__name__} reads {read}; choose a "
                    "conditioning that fits the backbone (JaT takes conditioning=none), or set "
                    f"backbone.{name}=${{conditioning.{name}}}."
                )

    @property
    def sample_rate(self) -> int:
        """Rate of input and output in Hz."""
        return self.codec.sample_rate

    @torch.no_grad()
    def fit_statistics(self, batches: Iterable[Tensor], normalise: bool = True) -> None:
        """Measure on `batches` of audio [b, c, time] what latents (unless not to `normalise`) and roll-offs are like.

        Raises:
            DataError: the batches hold no sound.
        """
        batches = self.conditioner.measuring(batches, self.sample_rate)
        if normalise:
            self.codec.fit_statistics(batches)
        else:
            deque(batches, maxlen=0)

    def recall_statistics(self, statistics: LatentStatistics, where: str, normalise: bool = True) -> None:
        """Take what latents (unless not to `normalise`) and roll-offs are like from prepared data in `where`, a folder.

        Raises:
            DataError: they are of another codec.
        """
        statistics.check(self.codec, where)
        if normalise:
            self.codec.set_statistics(statistics.mean, statistics.deviation)
        self.conditioner.recall_full_band(statistics.full_band)

    @torch.no_grad()
    def pair(self, hr: Tensor, lr: Tensor, captions: list[str]) -> Pair:
        """Training's view of clips `hr` [b, c, time] and their low-passed `lr`."""
        with torch.autocast(hr.device.type, enabled=False):
            values = self.conditioner.measure(lr, hr, captions, self.sample_rate)
        return Pair(self._encode(hr), self._encode(lr), values)

    def stored_pair(self, hr: Tensor, lr: Tensor, captions: list[str], rolloff: Tensor) -> Pair:
        """The same of raw latents [b, latent_dim, frame] and roll-offs [b, spectrum, 2] that were prepared before."""
        return Pair(self.codec.normalise(hr), self.codec.normalise(lr), self.conditioner.recall(captions, rolloff))

    def estimate(self, pair: Pair, generators: Generators = None) -> Estimate:
        """What the network makes of a batch of pairs at random times, for a loss to judge."""
        example = self.objective.corrupt(pair.z_hr, generators)
        conditioning = self.conditioner(pair.z_lr, pair.values, generators)
        prediction = self.backbone(example.z_t, example.t, conditioning)
        return self.objective.estimate(prediction.value, example, pair.z_lr, prediction.variance)

    @torch.no_grad()
    def _encode(self, audio: Tensor) -> Tensor:
        with torch.autocast(audio.device.type, enabled=False):
            return self.codec.encode(audio)

    @torch.no_grad()
    def prepare_conditioning(self, request: ConditionRequest) -> BranchConditioning:
        """What a user asks for, embedded for all branches of the guidance.

        Raises:
            ConfigError: a prompt or roll-off that the model cannot use.
        """
        return self.branch_conditioning(self.conditioner.request(request))

    @torch.no_grad()
    def branch_conditioning(self, values: ConditionValues) -> BranchConditioning:
        """The `values` of the conditions, embedded for all branches of the guidance."""
        described = self.conditioner.describe(values)
        given = {name for name in self.conditioner.conditions if not described.is_null(name)}
        weights = branches(self.guidance.weights, given)
        stacked = Conditioning.stack([described.drop(dropped) for dropped in weights]).merge_zero_tokens()
        with self._autocast(values.rolloff.device):
            return BranchConditioning(weights, self.backbone.prepare(stacked), len(values.captions))

    def velocity(self, z_lr: Tensor, branched: BranchConditioning) -> Callable[[Tensor, Tensor], Tensor]:
        """The guided velocity field for clips of latent `z_lr` [b, c, frame]: all branches in one forward."""
        n = len(branched.weights)
        acoustic = Conditioning(concat=z_lr, concat_null=branched.conditioning.concat_null)
        concat = Conditioning.stack([acoustic.drop(dropped & {"acoustic"}) for dropped in branched.weights]).concat
        conditioning = replace(branched.conditioning.repeat(len(z_lr) // branched.clips), concat=concat)

        def field(z: Tensor, t: Tensor) -> Tensor:
            z_all, t_all = z.repeat(n, 1, 1), t.repeat(n)
            with self._autocast(z.device):
                prediction = self.backbone(z_all, t_all, conditioning)
            velocities = self.objective.velocity(prediction.value.float(), z_all, t_all)
            return combine(rearrange(velocities, "(n b) c f -> n b c f", n=n), branched.weights.values())

        return field

    def _autocast(self, device: torch.device) -> torch.autocast:
        return torch.autocast(device.type, torch.bfloat16, enabled=has_fast_bfloat16(device.type))

    @torch.no_grad()
    def enhance(
        self,
        lr: Tensor,
        cutoff_hz: Tensor | None = None,
        draw_noise: Callable[[int], Tensor] | None = None,
        prompt: str | Sequence[str] = "",
        rolloff: float | Tensor = 1.0,
    ) -> Tensor:
        """Restore what is missing above `cutoff_hz`.

        Args:
            lr: [b, c, time] at `sample_rate`.
            cutoff_hz: [b], where the input's content ends. Where left out, it is measured, and what little lies above
                is cut off.
            draw_noise: given a number of latent frames, the noise [b, latent_dim, frame] to start from; PyTorch's
                global generator where left out.
            prompt: what the recordings contain, one for all or one for each; for models that were trained with text.
            rolloff: how bright they become, 1 being full band, one for all or [b]; for models that know the roll-off.

        Returns:
            [b, c, time].

        Raises:
            ConfigError: a prompt or roll-off that the model cannot use.
        """
        if cutoff_hz is None:
            cutoff_hz = bandwidth_hz(lr, self.sample_rate)
            lr = cut_above(lr, cutoff_hz, self.sample_rate)
        captions = [prompt] * len(lr) if isinstance(prompt, str) else list(prompt)
        request = ConditionRequest(lr, self.sample_rate, cutoff_hz, captions, rolloff)
        return self.restore(lr, self.prepare_conditioning(request), cutoff_hz, draw_noise)

    @torch.no_grad()
    def restore(
        self,
        lr: Tensor,
        conditioning: BranchConditioning,
        cutoff_hz: Tensor,
        draw_noise: Callable[[int], Tensor] | None = None,
    ) -> Tensor:
        """`enhance` by a `conditioning` that is there already.

        Channels beyond the codec's own are enhanced side by side from the same noise, so that the stereo picture stays.
        """
        channels, length = lr.shape[1:]
        together = channels == self.codec.channels
        z_lr = self._encode(lr if together else rearrange(lr, "b c n -> (b c) 1 n"))
        shape = (lr.shape[0], *z_lr.shape[1:])
        noise = (draw_noise(shape[2]) if draw_noise else torch.randn(shape)).to(z_lr.device)
        if not together:
            noise = noise.repeat_interleave(channels, dim=0)
        # One context for all steps: weights are cast once.
        with self._autocast(z_lr.device):
            z = self.sampler(self.velocity(z_lr, conditioning), noise)
        output = self.codec.decode(z, length)
        if not together:
            output = rearrange(output.mean(dim=1), "(b c) n -> b c n", c=channels)
        return replace_low_band(output, lr, cutoff_hz.to(lr.device), self.sample_rate, self.low_band)
