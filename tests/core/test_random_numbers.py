from __future__ import annotations

import torch

from saga_sr.core.random_numbers import normal, seeded, uniform


def test_an_examples_numbers_do_not_depend_on_its_batch() -> None:
    for draw in (normal, uniform):
        whole = draw([4, 3, 5], seeded([7, 8, 9, 10]))
        assert torch.equal(whole[2:], draw([2, 3, 5], seeded([9, 10])))
        assert not torch.equal(whole[0], whole[1])
        assert draw([4], seeded([7, 8, 9, 10])).shape == (4,)


def test_one_generator_draws_the_batch_as_a_whole() -> None:
    shape, generator = [4, 6], torch.Generator().manual_seed(3)
    assert torch.equal(normal(shape, generator), torch.randn(4, 6, generator=torch.Generator().manual_seed(3)))
    assert normal(shape).shape == uniform(shape).shape == (4, 6)
