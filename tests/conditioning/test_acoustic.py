from __future__ import annotations

import pytest
import torch

from saga_sr.conditioning import Conditioning
from saga_sr.conditioning.acoustic import AcousticConditioner
from saga_sr.errors import ConfigError


def test_training_drops_whole_examples_at_the_rate_asked_for() -> None:
    conditioner = AcousticConditioner(dropout=0.1, null_value=-5.0).train()
    concat = conditioner(torch.ones(20_000, 2, 3), torch.Generator().manual_seed(0)).concat
    dropped = (concat == -5).all(dim=(1, 2))
    assert bool((dropped | (concat == 1).all(dim=(1, 2))).all())
    assert float(dropped.float().mean()) == pytest.approx(0.1, abs=0.01)


def test_noise_is_added_in_training_alone() -> None:
    conditioner = AcousticConditioner(dropout=0.0, noise=0.05)
    z = torch.zeros(50, 20, 20)
    assert torch.equal(conditioner.eval()(z).concat, z)
    noisy = conditioner.train()(z, torch.Generator().manual_seed(0)).concat
    assert float(noisy.std()) == pytest.approx(0.05, rel=0.05)


def test_a_seed_means_the_same_draws() -> None:
    conditioner, z = AcousticConditioner(dropout=0.5, noise=0.1).train(), torch.randn(8, 2, 3)
    first, again = (conditioner(z, torch.Generator().manual_seed(5)).concat for _ in range(2))
    assert torch.equal(first, again)


def test_dropping_for_guidance_takes_the_null_value_and_stacking_keeps_order() -> None:
    conditioning = Conditioning(concat=torch.ones(2, 3, 4), concat_null=-5.0)
    dropped = conditioning.drop({"acoustic"})
    assert torch.equal(dropped.concat, torch.full((2, 3, 4), -5.0))
    assert conditioning.drop(set()) == conditioning and conditioning.parts == {"concat"}
    stacked = Conditioning.stack([conditioning, dropped])
    assert stacked.concat.shape == (4, 3, 4) and float(stacked.concat[:2].mean()) == 1


def test_a_dropout_that_is_no_probability_is_refused() -> None:
    with pytest.raises(ConfigError, match="probability"):
        AcousticConditioner(dropout=1.5)
