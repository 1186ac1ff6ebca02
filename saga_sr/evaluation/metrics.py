"""Metrics of restored audio against its reference: audio [b, c, time] in, one number a clip [b] out.

Spectra are 2048/512 Hann spectrograms, those of attacks 512/128. Several channels are measured apart and averaged.
Ratios in dB are kept within +-120 dB, so that identical and silent signals give finite numbers.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from saga_sr.audio.spectrum import N_FFT, bin_frequencies, stft

FLOOR = 1e-8  # added to power before a logarithm
MELS = 128
LIMIT_DB = 120.0
# 12 ms long, every 3 ms, so that it shows whether an attack begins too soon.
SHORT_FFT, SHORT_HOP = 512, 128
ONSET_BANDS = 8
BEFORE_ATTACK_S = 0.02
# What is heard: levels above the first, of a full-scale sine being 0, and no further than the second below the loudest
# third-octave of the frame.
HEARD_DBFS, MASKED_DB = -80.0, 60.0


def lsd(output: Tensor, reference: Tensor) -> Tensor:
    """Log-spectral distance: root of the mean over frequency of squared log10 power ratios, mean over time.

    Source: Gray & Markel (1976); the floor 1e-8 on power as AudioSR's evaluation has it.
    """
    ratio = _log_ratio(_power(output), _power(reference))
    return _distance(ratio, torch.ones_like(ratio[:1, :1, :, :1]))


def lsd_band(output: Tensor, reference: Tensor, low_hz: Tensor, high_hz: Tensor, sample_rate: int) -> Tensor:
    """`lsd` over the bins above `low_hz` [b] up to `high_hz` [b] alone; 0 where no bin lies there."""
    ratio = _log_ratio(_power(output), _power(reference))
    return _distance(ratio, _band(low_hz, high_hz, sample_rate))


def lsd_octaves(output: Tensor, reference: Tensor, sample_rate: int) -> dict[float, Tensor]:
    """`lsd` over the bins of each octave alone, by its centre in Hz: 62.5, 125, ..., as far up as there are bins."""
    ratio = _log_ratio(_power(output), _power(reference))
    found = {}
    for centre in (62.5 * 2**i for i in range(12)):
        low_hz, high_hz = (torch.tensor([centre * 2**half]).to(ratio) for half in (-0.5, 0.5))
        band = _band(low_hz, high_hz, sample_rate)
        if band.any():
            found[centre] = _distance(ratio, band)
    return found


def lsd_hf_audible(
    output: Tensor, reference: Tensor, cutoff_hz: Tensor, sample_rate: int, edge_hz: Tensor | None = None
) -> Tensor:
    """`lsd_band` from `cutoff_hz` to `edge_hz` [b] (Nyquist if left out) over what is heard of either signal alone.

    Heard is a bin above -80 dBFS, and within 60 dB of the reference's loudest third-octave in the frame; what is below
    in one of the signals counts as being just there. Levels are those of sines of as much power. The mean is over the
    frames in which a bin of the band is heard; 0 where there are none.
    """
    powers = _power(output), _power(reference)
    top = torch.full_like(cutoff_hz, sample_rate / 2) if edge_hz is None else edge_hz
    return _audible_distance(*powers, _band(cutoff_hz, top, sample_rate), sample_rate)


def si_sdr(output: Tensor, reference: Tensor) -> Tensor:
    """Scale-invariant signal-to-distortion ratio in dB; -120 where the reference alone is silent.

    Source: Le Roux et al., "SDR - Half-baked or Well Done?" (2019).
    """
    x, y = output.double(), reference.double()
    scale = (x * y).sum(-1, keepdim=True) / y.square().sum(-1, keepdim=True).clamp(min=1e-30)
    return _ratio_db(scale * y, x - scale * y)


def snr(output: Tensor, reference: Tensor) -> Tensor:
    """Signal-to-noise ratio in dB."""
    return _ratio_db(reference.double(), output.double() - reference.double())


def correlation(output: Tensor, reference: Tensor) -> Tensor:
    """Pearson's correlation of the waveforms; 0 where one is constant."""
    x, y = (signal - signal.mean(-1, keepdim=True) for signal in (output.double(), reference.double()))
    norm = (x.square().sum(-1) * y.square().sum(-1)).sqrt()
    return ((x * y).sum(-1) / norm.clamp(min=1e-12)).mean(dim=1).float()


def rmse(output: Tensor, reference: Tensor) -> Tensor:
    """Root of the mean squared error."""
    return (output - reference).square().mean(-1).sqrt().mean(dim=1)


def mel_l1(output: Tensor, reference: Tensor, sample_rate: int) -> Tensor:
    """Mean absolute difference of 128-band mel spectrograms in dB (Slaney's scale and norm, power floor 1e-8)."""
    return _mel_difference(_power(output), _power(reference), sample_rate).abs().mean(dim=(1, 2, 3))


def mel_l2(output: Tensor, reference: Tensor, sample_rate: int) -> Tensor:
    """Root of the mean squared difference of the mel spectrograms of `mel_l1`, in dB."""
    return _mel_difference(_power(output), _power(reference), sample_rate).square().mean(dim=(1, 2, 3)).sqrt()


def level_hf_db(output: Tensor, reference: Tensor, cutoff_hz: Tensor, sample_rate: int) -> Tensor:
    """Mean level in dB over the bins above `cutoff_hz` [b] and over time, output minus reference; 0 is right.

    Quiet moments count as much as loud ones, which rule `energy_hf_db`. Levels have the floor of `lsd`.
    """
    ratio = _log_ratio(_power(output), _power(reference))
    return _mean_level(ratio, _above(cutoff_hz, sample_rate))


def energy_hf_db(output: Tensor, reference: Tensor, cutoff_hz: Tensor, sample_rate: int) -> Tensor:
    """Energy above `cutoff_hz` [b], output over reference, in dB; 0 is right, negative too quiet."""
    return _energy_ratio(_power(output), _power(reference), _above(cutoff_hz, sample_rate))


def onset_hf_db(output: Tensor, reference: Tensor, cutoff_hz: Tensor, sample_rate: int) -> Tensor:
    """Difference of the onset strengths above `cutoff_hz` [b], in dB a frame, root of the mean square over time.

    The onset strength is how much the level in dB rises from frame to frame, falls counting as 0, in the mean of 8
    bands of one ratio from `cutoff_hz` to Nyquist. Attacks that are missing, soft, too early or too many all show; a
    gain does not. 0 is right, and a band without attacks has what the reference's attacks are.

    Source: Klapuri, "Sound Onset Detection by Applying Psychoacoustic Knowledge" (1999); the mean over bands as in
    Boeck & Widmer, "Maximum Filter Vibrato Suppression for Onset Detection" (2013).
    """
    strengths = [_onset_strength(audio, cutoff_hz, sample_rate) for audio in (output, reference)]
    return (strengths[0] - strengths[1]).square().mean(dim=-1).sqrt().mean(dim=1)


def pre_attack_hf_db(output: Tensor, reference: Tensor, attack: int, cutoff_hz: Tensor, sample_rate: int) -> Tensor:
    """Energy above `cutoff_hz` [b] in the 20 ms that end before sample `attack`, output over reference, in dB.

    What a transform or a network smears to before an attack, its pre-echo, makes it positive.
    """
    first = max(attack - round(BEFORE_ATTACK_S * sample_rate), 0)
    window = torch.hann_window(attack - first, device=output.device)
    powers = [torch.fft.rfft(audio[..., first:attack] * window).abs().square() for audio in (output, reference)]
    hz = torch.fft.rfftfreq(attack - first, 1 / sample_rate, device=output.device)
    high = (hz > cutoff_hz[:, None])[:, None].float()
    energies = [_db((power * high).sum(dim=(1, 2))) for power in powers]
    return energies[0] - energies[1]


def measure(
    output: Tensor, reference: Tensor, cutoff_hz: Tensor, sample_rate: int, edge_hz: Tensor | None = None
) -> dict[str, Tensor]:
    """All metrics of a batch by name, [b] each.

    Args:
        cutoff_hz: divides the low band from the high one, [b].
        edge_hz: where the content of the references ends, [b]: there the high band of `lsd_hf`, `lsd_hf_audible`,
            `level_hf_db` and `energy_hf_db` ends; at Nyquist where left out.
    """
    powers = _power(output), _power(reference)
    ratio = _log_ratio(*powers)
    above = _above(cutoff_hz, sample_rate)
    high = above if edge_hz is None else _band(cutoff_hz, edge_hz, sample_rate)
    mel = _mel_difference(*powers, sample_rate)
    return {
        "lsd": _distance(ratio, torch.ones_like(above)),
        "lsd_hf": _distance(ratio, high),
        "lsd_hf_audible": _audible_distance(*powers, high, sample_rate),
        "lsd_lf": _distance(ratio, 1 - above),
        "level_hf_db": _mean_level(ratio, high),
        "energy_hf_db": _energy_ratio(*powers, high),
        "onset_hf_db": onset_hf_db(output, reference, cutoff_hz, sample_rate),
        "si_sdr": si_sdr(output, reference),
        "snr": snr(output, reference),
        "correlation": correlation(output, reference),
        "rmse": rmse(output, reference),
        "mel_l1": mel.abs().mean(dim=(1, 2, 3)),
        "mel_l2": mel.square().mean(dim=(1, 2, 3)).sqrt(),
    }


def _power(audio: Tensor) -> Tensor:
    return stft(audio).abs().square()


def _log_ratio(power: Tensor, reference: Tensor) -> Tensor:
    return torch.log10((power + FLOOR) / (reference + FLOOR))


def _onset_strength(audio: Tensor, cutoff_hz: Tensor, sample_rate: int) -> Tensor:
    """[b, c, time] -> [b, c, frame], see `onset_hf_db`."""
    power = stft(audio, SHORT_FFT, SHORT_HOP).abs().square()
    hz = bin_frequencies(sample_rate, audio.device, SHORT_FFT)
    ratio = (sample_rate / 2 / cutoff_hz)[:, None]
    edges = cutoff_hz[:, None] * ratio ** (torch.arange(ONSET_BANDS + 1, device=audio.device) / ONSET_BANDS)
    bands = ((hz > edges[:, :-1, None]) & (hz <= edges[:, 1:, None])).float()
    level = (bands / bands.sum(dim=-1, keepdim=True).clamp(min=1))[:, None] @ power
    return 10 * (level + FLOOR).log10().diff(dim=-1).clamp(min=0).mean(dim=-2)


def _band(low_hz: Tensor, high_hz: Tensor, sample_rate: int) -> Tensor:
    """Mask [b, 1, bin, 1] of the bins above `low_hz` up to `high_hz`."""
    hz = bin_frequencies(sample_rate, low_hz.device)
    return ((hz > low_hz[:, None]) & (hz <= high_hz[:, None])).float()[:, None, :, None]


def _above(cutoff_hz: Tensor, sample_rate: int) -> Tensor:
    return _band(cutoff_hz, torch.full_like(cutoff_hz, sample_rate / 2), sample_rate)


def _distance(ratio: Tensor, band: Tensor) -> Tensor:
    """Root of the mean over the bins of `band` of the squared `ratio` [b, c, bin, frame], mean over the rest."""
    square = (ratio.square() * band).sum(dim=-2) / band.sum(dim=-2).clamp(min=1)
    return square.sqrt().mean(dim=(1, 2))


def _audible_distance(power: Tensor, reference: Tensor, band: Tensor, sample_rate: int) -> Tensor:
    """See `lsd_hf_audible`, of powers [b, c, bin, frame] in the bins of `band` [b, 1, bin, 1]."""
    thirds = _third_octaves(sample_rate).to(reference)
    masked = (thirds @ reference).amax(dim=-2, keepdim=True) * 10 ** (-MASKED_DB / 10)
    # The peak of a full-scale sine under a Hann window is a quarter of its length.
    floor = masked.clamp(min=(N_FFT / 4) ** 2 * 10 ** (HEARD_DBFS / 10))
    heard = band * ((power > floor) | (reference > floor)).float()
    ratio = torch.log10(torch.maximum(power, floor) / torch.maximum(reference, floor))
    count = heard.sum(dim=-2)
    distance = ((ratio.square() * heard).sum(dim=-2) / count.clamp(min=1)).sqrt()
    return distance.sum(dim=(1, 2)) / (count > 0).sum(dim=(1, 2)).clamp(min=1)


@lru_cache(maxsize=4)
def _third_octaves(sample_rate: int) -> Tensor:
    """Levels of third-octaves from 50 Hz to Nyquist, [band, bin]; narrower ones than a bin have the nearest."""
    hz = bin_frequencies(sample_rate)
    lower = 50 * 2 ** (torch.arange(math.ceil(3 * math.log2(sample_rate / 2 / 50))) / 3)
    inside = ((hz >= lower[:, None]) & (hz < lower[:, None] * 2 ** (1 / 3))).float()
    nearest = (hz - lower[:, None] * 2 ** (1 / 6)).abs().argmin(dim=-1)
    empty = inside.sum(dim=-1) == 0
    inside[empty, nearest[empty]] = 1
    return inside / 1.5  # a Hann window spreads a sine's power over as many bins


def _mean_level(ratio: Tensor, band: Tensor) -> Tensor:
    return 10 * ((ratio * band).sum(dim=-2) / band.sum(dim=-2).clamp(min=1)).mean(dim=(1, 2))


def _energy_ratio(power: Tensor, reference: Tensor, band: Tensor) -> Tensor:
    return _db((power * band).sum(dim=(1, 2, 3))) - _db((reference * band).sum(dim=(1, 2, 3)))


def _db(power: Tensor) -> Tensor:
    return 10 * torch.log10(power.clamp(min=10 ** (-LIMIT_DB / 10)))


def _ratio_db(signal: Tensor, error: Tensor) -> Tensor:
    """Energy ratio over time in dB, mean over channels: [b, c, time] -> [b]; no error is the limit, 120 dB."""
    energy = error.square().sum(-1)
    ratio = torch.where(energy > 0, signal.square().sum(-1) / energy.clamp(min=1e-30), torch.inf)
    floor = 10 ** (-LIMIT_DB / 10)
    return (10 * torch.log10(ratio.clamp(min=floor, max=1 / floor))).mean(dim=1).float()


@lru_cache(maxsize=4)
def _mel_filters(sample_rate: int) -> Tensor:
    """Triangles evenly spaced on Slaney's scale from 0 Hz to Nyquist, each of area 1 Hz, [MELS, bin].

    The scale is linear up to 1 kHz, its mel 15, and has 27 mels to each factor of 6.4 beyond.

    Source: Slaney, "Auditory Toolbox" (1998).
    """
    nyquist = sample_rate / 2
    highest = nyquist * 15 / 1000 if nyquist < 1000 else 15 + 27 * math.log(nyquist / 1000, 6.4)
    mels = torch.linspace(0, highest, MELS + 2, dtype=torch.float64)
    edges = torch.where(mels < 15, mels * 1000 / 15, 1000 * 6.4 ** ((mels - 15) / 27))[:, None]
    hz = torch.linspace(0, nyquist, N_FFT // 2 + 1, dtype=torch.float64)
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    triangles = torch.minimum((hz - low) / (middle - low), (high - hz) / (high - middle)).clamp(min=0)
    return (triangles * 2 / (high - low)).float()


def _mel_difference(power: Tensor, reference: Tensor, sample_rate: int) -> Tensor:
    filters = _mel_filters(sample_rate).to(power)
    return 10 * _log_ratio(filters @ power, filters @ reference)
