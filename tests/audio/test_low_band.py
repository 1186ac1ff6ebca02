from __future__ import annotations

import pytest
import torch
from torch.nn.functional import pad

from saga_sr.audio.low_band import replace_low_band
from saga_sr.audio.spectrum import stft
from saga_sr.core.errors import ConfigError

RATE = 44_100


def noise(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def band_error(x: torch.Tensor, y: torch.Tensor, low: float, high: float) -> float:
    a, b = (slice(int(f / RATE * 2048) + 1, int(g / RATE * 2048)) for f, g in ((low, high),) * 2)
    difference, base = (stft(v)[..., s, 4:-4].abs().square().sum() for v, s in ((x - y, a), (y, b)))
    return float(difference / base)


@pytest.mark.parametrize(("mode", "last_low", "first_high"), [("crossfade", 3600, 4400), ("hard", 4000, 4000)])
def test_low_band_from_the_input_and_high_band_from_the_output(mode: str, last_low: float, first_high: float) -> None:
    output, lr = noise(0, 2, 1, 30_000), noise(1, 2, 1, 30_000)
    joined = replace_low_band(output, lr, torch.tensor([4000.0, 4000.0]), RATE, mode)
    assert band_error(joined, lr, 0, 0.9 * last_low) < 1e-3
    assert band_error(joined, output, 1.1 * first_high, RATE / 2) < 1e-3


def test_crossfade_is_half_way_at_the_cutoff() -> None:
    lr = noise(1, 1, 1, 60_000)
    joined = replace_low_band(torch.zeros_like(lr), lr, torch.tensor([8000.0]), RATE)
    at = round(8000 / RATE * 2048)
    ratio = (
        stft(joined)[0, 0, at - 1 : at + 2].abs().square().mean()
        / stft(lr)[0, 0, at - 1 : at + 2].abs().square().mean()
    )
    assert float(ratio) == pytest.approx(0.25, abs=0.05)


@pytest.mark.parametrize(("gain", "expected"), [(1 / 1.1, 1.1), (0.5, 1.2), (3.0, 0.8)])
def test_energy_matching_levels_the_seam_within_its_limits(gain: float, expected: float) -> None:
    lr = noise(1, 1, 2, 40_000)
    joined = replace_low_band(gain * lr, lr, torch.tensor([5000.0]), RATE, "energy_matched")
    assert band_error(joined, gain * expected * lr, 6000, 20_000) < 1e-3


def test_off_changes_nothing_and_equal_signals_stay() -> None:
    output, lr = noise(0, 1, 1, 5001), noise(1, 1, 1, 5001)
    cutoff = torch.tensor([4000.0])
    assert torch.equal(replace_low_band(output, lr, cutoff, RATE, "off"), output)
    for mode in ("crossfade", "hard", "energy_matched"):
        assert torch.allclose(replace_low_band(lr, lr, cutoff, RATE, mode), lr, atol=1e-5)


@pytest.mark.parametrize("length", [1, 700, 2049])
@pytest.mark.parametrize("cutoff", [3000.0, 22_050.0])
def test_any_length_and_a_cutoff_at_nyquist(length: int, cutoff: float) -> None:
    output, lr = noise(0, 1, 1, length), noise(1, 1, 1, length)
    joined = replace_low_band(output, lr, torch.tensor([cutoff]), RATE)
    assert joined.shape == lr.shape and bool(joined.isfinite().all())


@pytest.mark.parametrize("mode", ["crossfade", "hard", "energy_matched"])
def test_a_full_band_input_is_left_as_it_is(mode: str) -> None:
    output, lr = noise(0, 2, 1, 9000), noise(1, 2, 1, 9000)
    joined = replace_low_band(output, lr, torch.tensor([22_050.0, 4000.0]), RATE, mode)
    assert torch.equal(joined[0], lr[0]) and not torch.allclose(joined[1], lr[1], atol=0.1)


def test_an_unknown_mode_is_answered_with_the_valid_ones() -> None:
    with pytest.raises(ConfigError, match="crossfade, hard, energy_matched, off"):
        replace_low_band(noise(0, 1, 1, 10), noise(1, 1, 1, 10), torch.tensor([1.0]), RATE, "soft")


@pytest.mark.parametrize("cutoff", [1000.0, 4000.0, 12_000.0, 17_500.0])
def test_what_lies_below_is_the_inputs_to_100_db(cutoff: float) -> None:
    output, lr = noise(0, 1, 1, 60_000), noise(1, 1, 1, 60_000)
    joined = replace_low_band(output, lr, torch.tensor([cutoff]), RATE)
    # Windowed over the whole length, so that the measurement does not leak.
    window = torch.hann_window(50_000, dtype=torch.float64) ** 2
    difference, base = (torch.fft.rfft(x[0, 0, 5000:55_000].double() * window).abs() for x in (joined - lr, lr))
    below = int(0.85 * cutoff / RATE * 50_000)
    assert 20 * torch.log10(difference[:below].norm() / base[:below].norm()) < -100


@pytest.mark.parametrize("length", [3000, 40_000])
def test_the_filter_by_blocks_is_a_convolution_and_each_example_has_its_own(length: int) -> None:
    output, lr, cutoffs = noise(2, 2, 2, length), noise(3, 2, 2, length), torch.tensor([300.0, 9000.0])
    joined = replace_low_band(output, lr, cutoffs, RATE)
    for i, cutoff in enumerate(cutoffs):
        # What passes of an impulse in the middle is the filter.
        impulse = torch.zeros(1, 1, 2 * length - 1)
        impulse[..., length - 1] = 1
        kernel = replace_low_band(impulse, torch.zeros_like(impulse), cutoff[None], RATE)
        padded = pad((output - lr)[i][:, None], (length - 1, length - 1)).double()
        n = padded.shape[-1] + kernel.shape[-1]
        product = torch.fft.rfft(padded, n) * torch.fft.rfft(kernel.double(), n)
        expected = torch.fft.irfft(product, n)[:, 0, 2 * length - 2 :][:, :length]
        assert float((joined[i] - lr[i] - expected).abs().max()) < 1e-4
