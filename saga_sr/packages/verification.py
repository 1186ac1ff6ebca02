"""Whether a package does what the model does that it was made of."""

from __future__ import annotations

import torch
from torch import Tensor

from saga_sr.core.errors import PackageError
from saga_sr.model import SuperResolver

# How far the enhanced clip may be from the source model's, as a share of it.
TOLERANCES = {torch.float32: 1e-3, torch.bfloat16: 0.1, torch.float16: 0.02}
SECONDS = 0.5
STEPS = 2
CUTOFF_HZ = 4000.0


def check_same(source: SuperResolver, loaded: SuperResolver, dtype: torch.dtype) -> None:
    """Restore half a second of noise with `source` and with `loaded`, which was stored in `dtype`, in few steps.

    Raises:
        PackageError: what `loaded` makes is not finite, of another length, or not that of `source` within the precision
            of `dtype`.
    """
    clip = _clip(loaded)
    output, expected = _restore(loaded, clip), _restore(source, clip)
    word = str(dtype).removeprefix("torch.")
    if output.shape != clip.shape or not output.isfinite().all():
        raise PackageError(
            f"The model stored in {word} enhances a clip to what is not finite or of another length, so the package "
            "was not written; export another checkpoint, or with dtype=float32."
        )
    difference = float((output - expected).norm() / expected.norm().clamp(min=1e-12))
    if not difference <= TOLERANCES[dtype]:
        raise PackageError(
            f"The model stored in {word} differs by {difference:.1%} from what it was made of, so the package was not "
            f"written; {'export it again.' if dtype == torch.float32 else 'export with dtype=float32.'}"
        )


def _clip(model: SuperResolver) -> Tensor:
    """Noise [1, channels, time]."""
    length = int(SECONDS * model.sample_rate) + 1  # whatever the hop is, it does not divide the length
    generator = torch.Generator().manual_seed(0)
    return 0.1 * torch.randn(1, model.codec.channels, length, generator=generator)


def _restore(model: SuperResolver, clip: Tensor) -> Tensor:
    """What `model` generates for `clip` with few steps, always from the same noise."""
    device, training = next(model.parameters()).device, model.training
    generator = torch.Generator().manual_seed(0)
    lr, cutoff_hz = clip.to(device), torch.full((1,), CUTOFF_HZ)
    try:
        model.eval()
        output = model.restore(
            lr,
            model.prepare_conditioning(lr, cutoff_hz, [""]),
            lambda frames: torch.randn(1, model.codec.latent_dim, frames, generator=generator),
            cutoff_hz,
            model.sampler if model.sampler.distilled else model.sampler.changed(steps=STEPS),
        )
    finally:
        model.train(training)
    return output.float().cpu()
