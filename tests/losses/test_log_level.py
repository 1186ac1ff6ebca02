from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from saga_sr.core.errors import ConfigError
from saga_sr.flow.objective import Estimate
from saga_sr.losses.log_level import LogLevel


def loss(data: Tensor, variance: Tensor | None, target: Tensor, **settings: object) -> float:
    estimate = Estimate(data, target, data, target, torch.zeros_like(data), variance)
    return float(LogLevel(floor_db=-120, robust_db=1e6, **settings)(estimate)["log_level"])


def test_it_is_half_the_squared_error_in_decibels() -> None:
    target = torch.ones(2, 100, 40)
    stated = torch.full_like(target, 10 ** (-6 / 10))
    assert loss(torch.zeros_like(target), stated, target) == pytest.approx(0.5 * 6**2, rel=1e-4)
    half = (stated / 2).sqrt()  # power that is known, and power that is not, add up
    assert loss(half, stated / 2, target) == pytest.approx(0.5 * 6**2, rel=1e-4)


def test_the_usual_level_is_best_in_fine_windows_and_the_mean_power_in_coarse_ones() -> None:
    torch.manual_seed(0)
    level_db = 8 * torch.randn(1, 1, 4000)
    target = (10 ** (level_db / 20)).expand(1, 100, 4000)
    shifts = torch.arange(-4, 12, 0.5)

    def best(window: tuple[int, int]) -> float:
        scores = [
            loss(torch.zeros_like(target), torch.full_like(target, 10 ** (float(shift) / 10)), target, windows=[window])
            for shift in shifts
        ]
        return float(shifts[scores.index(min(scores))])

    assert best((9, 1)) == pytest.approx(float(level_db.mean()), abs=0.5)
    power = 10 * math.log10(float(target.square().mean()))
    assert best((9, 1001)) == pytest.approx(power, abs=1)


def test_what_is_below_the_floor_is_not_asked_for() -> None:
    zero = torch.zeros(1, 20, 20)
    estimate = Estimate(zero, zero, zero, zero, zero, torch.full_like(zero, 1e-9))
    assert float(LogLevel(floor_db=-40)(estimate)["log_level"]) < 1e-6


def test_impossible_settings_are_refused() -> None:
    zero = torch.zeros(1, 20, 20)
    with pytest.raises(ConfigError, match="states its variance"):
        loss(zero, None, zero)
    with pytest.raises(ConfigError, match="odd numbers"):
        LogLevel(windows=[[8, 1]])
