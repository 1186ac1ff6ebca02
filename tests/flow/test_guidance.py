from __future__ import annotations

import torch

from saga_sr.flow.guidance import ClassifierFree


def test_scale_1_needs_one_branch_and_changes_nothing() -> None:
    guidance = ClassifierFree(1.0)
    velocity = torch.randn(1, 2, 3, 4)
    assert guidance.branches == (frozenset(),)
    assert torch.equal(guidance.combine(velocity), velocity[0])


def test_guidance_extrapolates_away_from_the_unconditional_branch() -> None:
    guidance = ClassifierFree(3.0)
    conditional, unconditional = torch.randn(2, 3, 4), torch.randn(2, 3, 4)
    assert guidance.branches == (frozenset(), frozenset({"acoustic"}))
    combined = guidance.combine(torch.stack([conditional, unconditional]))
    assert torch.allclose(combined, 3 * conditional - 2 * unconditional, atol=1e-5)
