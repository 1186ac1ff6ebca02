"""JaT-AudioSR's perceptual terms on latents: spectra along time, several time scales, consistency with the input.

Frequencies are those of the latent sequence itself, as shares of its frame rate Fs. All FFTs run in float32, whatever
comes in, and take any length. Source: JaT-AudioSR, its losses `mod1` and `mod2`.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d, l1_loss, mse_loss

from saga_sr.flow.objective import Estimate

EPSILON = 1e-5


def spectrum(z: Tensor) -> Tensor:
    """Complex spectrum [b, c, frame // 2 + 1] of a latent [b, c, frame] along time."""
    with torch.autocast(z.device.type, enabled=False):
        return torch.fft.rfft(z.float())


def shares(z: Tensor) -> Tensor:
    """The frequency of each bin of `spectrum(z)` as a share of Fs, 0 to 0.5."""
    return torch.fft.rfftfreq(z.shape[-1], device=z.device)


def phase_error(prediction: Tensor, target: Tensor) -> Tensor:
    """1 - cos of the angle between two complex spectra, 0 to 2."""
    aligned = (prediction * target.conj()).real
    return 1 - aligned / (prediction.abs() * target.abs()).clamp(min=EPSILON)


class LogFrequency(nn.Module):
    """L1 of log magnitudes, and a tenth of the phase error on the lowest 30 % of the bins (`mod2`)."""

    def forward(self, estimate: Estimate) -> Tensor:
        prediction, target = spectrum(estimate.data), spectrum(estimate.target_data)
        magnitude = l1_loss((prediction.abs() + EPSILON).log(), (target.abs() + EPSILON).log())
        low = shares(estimate.data) <= 0.3 * 0.5
        return magnitude + 0.1 * phase_error(prediction[..., low], target[..., low]).mean()


class LinearFrequency(nn.Module):
    """L1 of magnitudes, the upper half of the band counted twice, and a tenth of the phase error everywhere (`mod1`).

    Kept for reproduction, with its defects: linear magnitudes let the loudest coefficients decide, phase above the
    lowest frequencies is noise that no model can predict, and the double weight of the upper half asks for more of it.
    Trained so, models were reported to sound metallic.
    """

    def forward(self, estimate: Estimate) -> Tensor:
        prediction, target = spectrum(estimate.data), spectrum(estimate.target_data)
        weight = 1 + (shares(estimate.data) >= 0.25).float()
        magnitude = (weight * (prediction.abs() - target.abs()).abs()).mean()
        return magnitude + 0.1 * phase_error(prediction, target).mean()


class MultiScale(nn.Module):
    """Mean of the L1 distances of the latents averaged over 1, 2 and 4 frames."""

    def forward(self, estimate: Estimate) -> Tensor:
        error = estimate.data.float() - estimate.target_data.float()
        distances = [avg_pool1d(error, scale, ceil_mode=True).abs().mean() for scale in (1, 2, 4)]
        return torch.stack(distances).mean()


class Consistency(nn.Module):
    """How far the estimate is from z_lr where the input knows: complex L1 up to 0.30 Fs, then of magnitudes.

    From 0.30 to 0.36 Fs the weight of the magnitudes falls linearly to zero; above it nothing is asked.
    """

    def forward(self, estimate: Estimate) -> Tensor:
        prediction, given = spectrum(estimate.data), spectrum(estimate.z_lr)
        share = shares(estimate.data)
        strict = share <= 0.30
        fall = ((0.36 - share) / 0.06).clamp(0, 1)
        exact, soft = (prediction - given).abs(), (prediction.abs() - given.abs()).abs()
        # Every bin up to 0.36 Fs counts alike in the mean, so one half-way down counts half.
        return torch.where(strict, exact, fall * soft).sum(dim=-1).mean() / (share <= 0.36).sum()


class LatentPerceptual(nn.Module):
    """Squared error of the velocity, and `weight` times the weighted sum of perceptual terms on the data estimate.

    Args:
        terms: by name.
        weights: of the terms, by the same names.
        weight: of all of them together.
    """

    def __init__(self, terms: Mapping[str, nn.Module], weights: Mapping[str, float], weight: float = 0.3) -> None:
        super().__init__()
        self.terms = nn.ModuleDict(terms)
        self.weights = {name: weight * weights[name] for name in terms}

    def forward(self, estimate: Estimate) -> dict[str, Tensor]:
        """Named terms of the loss of `estimate`, as weighted; they are summed for the gradient."""
        perceptual = {name: self.weights[name] * term(estimate) for name, term in self.terms.items()}
        return {"mse": mse_loss(estimate.velocity, estimate.target_velocity), **perceptual}
