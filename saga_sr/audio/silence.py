"""Digital silence, in which nothing is to be heard that restoring adds elsewhere."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

# What a sound may add beside itself, and where the last of it is faded out to nothing.
BESIDE_S, FADE_S = 0.005, 0.005


def presence(audio: Tensor, sample_rate: int) -> Tensor:
    """How much may be added to each sample of `audio` [..., time]: 1 beside sounds, exactly 0 in digital silence.

    Silence is samples that are exactly zero, 10 ms from any that is not.
    """
    length, sounds = audio.shape[-1], audio != 0
    # As a rule nothing is far from a sound, which is seen in a tenth of the time.
    half = max(int(BESIDE_S * sample_rate) // 2, 1)
    if pad(sounds, (0, -length % half)).unflatten(-1, (-1, half)).any(dim=-1).all():
        return torch.ones_like(audio)
    place = torch.arange(length, device=audio.device).expand(audio.shape)
    before = place.where(sounds, -length).cummax(dim=-1).values
    after = place.where(sounds, 2 * length).flip(-1).cummin(dim=-1).values.flip(-1)
    distance_s = torch.minimum(place - before, after - place) / sample_rate
    return ((BESIDE_S + FADE_S - distance_s) / FADE_S).clamp(0, 1).where(sounds.any(dim=-1, keepdim=True), 0.0)
