from __future__ import annotations

import pytest
import torch

from saga_sr.core.errors import ConfigError
from saga_sr.training.schedules import InverseLR, WarmupCosine


def rates(make, steps: int, lr: float = 2.0) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr)
    scheduler = make(optimizer)
    found = []
    for _ in range(steps):
        found.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return found


def test_inverse_lr_follows_its_formula() -> None:
    found = rates(lambda o: InverseLR(o, inv_gamma=100, power=0.5, warmup=0.9), 300)
    for k in (0, 1, 10, 299):
        assert found[k] == pytest.approx(2 * (1 - 0.9 ** (k + 1)) * (1 + k / 100) ** -0.5)


def test_cosine_rises_peaks_and_ends_at_its_floor() -> None:
    found = rates(lambda o: WarmupCosine(o, total_steps=100, warmup_steps=10, floor=0.1), 111)
    assert found[0] == pytest.approx(2 / 11) and found[10] == pytest.approx(2) and found[100] == pytest.approx(0.2)
    assert found[55] == pytest.approx(2 * 0.55) and found[110] == pytest.approx(0.2)


def test_impossible_schedules_are_refused() -> None:
    with pytest.raises(ConfigError):
        rates(lambda o: WarmupCosine(o, total_steps=-1), 1)
    with pytest.raises(ConfigError):
        rates(lambda o: InverseLR(o, warmup=1.0), 1)


def test_cosine_is_as_far_down_as_the_time_is_spent() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 1.0)
    scheduler = WarmupCosine(optimizer, total_steps=1000, floor=0.1)
    scheduler.time_spent = 0.5
    optimizer.step()
    scheduler.step()
    assert scheduler.get_last_lr()[0] == pytest.approx(0.55)
    resumed = WarmupCosine(optimizer, total_steps=1000, floor=0.1)
    resumed.load_state_dict(scheduler.state_dict())
    assert (resumed.time_spent, resumed.last_epoch, resumed.get_last_lr()) == (0.5, 1, scheduler.get_last_lr())
