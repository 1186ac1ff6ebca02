"""`SuperResolver`: codec, conditioning, backbone and flow as one module - what a user loads, calls and ships."""

from __future__ import annotations

from collections.abc import Callable

import torch
from einops import rearrange
from torch import Tensor, nn

from saga_sr.audio.low_band import MODES, replace_low_band
from saga_sr.audio.spectrum import bandwidth_hz
from saga_sr.backbones.backbone import Backbone
from saga_sr.codecs.codec import Codec
from saga_sr.conditioning import Conditioning
from saga_sr.conditioning.conditioner import Conditioner
from saga_sr.draws import Generators
from saga_sr.errors import ConfigError
from saga_sr.flow.guidance import Guidance
from saga_sr.flow.objective import Estimate, FlowMatching
from saga_sr.flow.sampler import Sampler
from saga_sr.hardware import has_fast_bfloat16


class SuperResolver(nn.Module):
    """Restores missing high frequencies: low-passed audio in, wide-band audio out, both at `sample_rate`.

    Args:
        codec: waveform <-> latent; frozen.
        backbone: the network `(z_t, t, conditioning) -> prediction`.
        conditioner: makes the `Conditioning` of a low-resolution latent.
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
        self.low_band = low_band
        self._check()

    def _check(self) -> None:
        if self.low_band not in MODES:
            raise ConfigError(f"low_band={self.low_band!r} is not known; choose one of {', '.join(MODES)}.")
        if self.backbone.latent_dim != self.codec.latent_dim:
            raise ConfigError(
                f"backbone.latent_dim={self.backbone.latent_dim} differs from "
                f"codec.latent_dim={self.codec.latent_dim}; set it to ${{codec.latent_dim}}."
            )
        unknown = self.conditioner.provides - self.backbone.accepts
        if unknown or "concat" not in self.conditioner.provides:
            raise ConfigError(
                f"{type(self.backbone).__name__} takes {sorted(self.backbone.accepts)} but "
                f"{type(self.conditioner).__name__} gives {sorted(self.conditioner.provides)}; choose a conditioning "
                "that fits the backbone."
            )

    @property
    def sample_rate(self) -> int:
        """Rate of input and output in Hz."""
        return self.codec.sample_rate

    def estimate(self, hr: Tensor, lr: Tensor, generators: Generators = None) -> Estimate:
        """What the network makes of a batch of pairs [b, c, time] at random times, for a loss to judge."""
        z_hr, z_lr = self._encode(hr), self._encode(lr)
        example = self.objective.corrupt(z_hr, generators)
        conditioning = self.conditioner(z_lr, generators)
        prediction = self.backbone(example.z_t, example.t, conditioning)
        return self.objective.estimate(prediction.value, example, z_lr, prediction.variance)

    @torch.no_grad()
    def _encode(self, audio: Tensor) -> Tensor:
        with torch.autocast(audio.device.type, enabled=False):
            return self.codec.encode(audio)

    def velocity(self, conditioning: Conditioning) -> Callable[[Tensor, Tensor], Tensor]:
        """The guided velocity field under `conditioning`: all branches of the guidance in one forward."""
        branches = self.guidance.branches
        stacked = Conditioning.stack([conditioning.drop(dropped) for dropped in branches])

        def field(z: Tensor, t: Tensor) -> Tensor:
            n = len(branches)
            z_all, t_all = z.repeat(n, 1, 1), t.repeat(n)
            with torch.autocast(z.device.type, torch.bfloat16, enabled=has_fast_bfloat16(z.device.type)):
                prediction = self.backbone(z_all, t_all, stacked)
            velocities = self.objective.velocity(prediction.value.float(), z_all, t_all)
            return self.guidance.combine(rearrange(velocities, "(n b) c f -> n b c f", n=n))

        return field

    @torch.no_grad()
    def enhance(
        self,
        lr: Tensor,
        cutoff_hz: Tensor | None = None,
        draw_noise: Callable[[int], Tensor] | None = None,
    ) -> Tensor:
        """Restore what is missing above `cutoff_hz`.

        Channels beyond the codec's own are enhanced side by side from the same noise, so that the stereo picture stays.

        Args:
            lr: [b, c, time] at `sample_rate`.
            cutoff_hz: [b], where the input's content ends; measured where left out.
            draw_noise: given a number of latent frames, the noise [b, latent_dim, frame] to start from; PyTorch's
                global generator where left out.

        Returns:
            [b, c, time].
        """
        channels, length = lr.shape[1:]
        cutoff_hz = bandwidth_hz(lr, self.sample_rate) if cutoff_hz is None else cutoff_hz
        together = channels == self.codec.channels
        z_lr = self._encode(lr if together else rearrange(lr, "b c n -> (b c) 1 n"))
        shape = (lr.shape[0], *z_lr.shape[1:])
        noise = (draw_noise(shape[2]) if draw_noise else torch.randn(shape)).to(z_lr.device)
        if not together:
            noise = noise.repeat_interleave(channels, dim=0)
        z = self.sampler(self.velocity(self.conditioner(z_lr)), noise)
        output = self.codec.decode(z, length)
        if not together:
            output = rearrange(output.mean(dim=1), "(b c) n -> b c n", c=channels)
        return replace_low_band(output, lr, cutoff_hz.to(lr.device), self.sample_rate, self.low_band)
