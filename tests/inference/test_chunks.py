from __future__ import annotations

import pytest
import torch

from saga_sr.core.errors import ConfigError
from saga_sr.inference.chunks import CrossFade, plan_chunks
from saga_sr.inference.noise import PositionalNoise


@pytest.mark.parametrize("length", [1, 999, 1000, 1001, 1899, 1900, 1901, 12_345])
@pytest.mark.parametrize("overlap_s", [0.0, 0.1, 0.5])
def test_chunks_join_to_what_was_cut(length: int, overlap_s: float) -> None:
    signal = torch.randn(2, length)
    plan = plan_chunks(1.0, overlap_s, sample_rate=1000, grid=10)
    fade, joined, end_before = CrossFade(plan), [], 0
    for begin, end in plan.spans(length):
        assert begin % 10 == 0 and 0 < end - begin <= plan.chunk and begin <= end_before
        joined.append(fade.join(signal[:, begin:end], end == length))
        end_before = end
    assert torch.allclose(torch.cat(joined, dim=1), signal, atol=1e-6)


def test_the_fade_is_linear_between_two_chunks() -> None:
    plan = plan_chunks(1.0, 0.2, sample_rate=1000, grid=1)
    fade = CrossFade(plan)
    first = fade.join(torch.zeros(1, 1000), last=False)
    second = fade.join(torch.ones(1, 1000), last=True)
    assert torch.cat([first, second], 1).shape == (1, 1800)
    assert torch.allclose(second[0, :200], (torch.arange(200) + 0.5) / 200, atol=1e-6)


@pytest.mark.parametrize(("chunk_s", "overlap_s"), [(1, 1), (1, 0.6), (0, 0), (1, -0.1)])
def test_chunks_that_cannot_be_joined_are_refused(chunk_s: float, overlap_s: float) -> None:
    with pytest.raises(ConfigError, match="cannot be joined"):
        plan_chunks(chunk_s, overlap_s, 1000, 10)


def test_noise_depends_on_position_and_seed_alone() -> None:
    noise = PositionalNoise(3, seed=1)
    whole = noise(0, 0, 1000)
    assert torch.equal(noise(0, 300, 500), whole[:, 300:800]) and torch.equal(noise(0, 256, 1), whole[:, 256:257])
    assert not torch.equal(PositionalNoise(3, seed=2)(0, 0, 1000), whole)
    assert not torch.equal(noise(1, 0, 1000), whole)
    more = noise(0, 0, 1000, draw=1)
    assert torch.equal(noise(0, 300, 500, draw=1), more[:, 300:800]) and not torch.equal(more, whole)
    assert abs(float(whole.std()) - 1) < 0.05
