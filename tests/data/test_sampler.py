from __future__ import annotations

from saga_sr.data.sampler import EpochSampler


def test_ranks_share_an_epoch_without_overlap_and_in_the_order_of_one() -> None:
    alone, ranks = EpochSampler(24), [EpochSampler(24, rank, 3) for rank in range(3)]
    for epoch in (0, 1, 5):
        for sampler in (alone, *ranks):
            sampler.set_epoch(epoch)
        dealt = [list(sampler) for sampler in ranks]
        assert [item for together in zip(*dealt, strict=True) for item in together] == list(alone)


def test_an_interrupted_epoch_goes_on_and_the_next_ones_are_whole() -> None:
    whole, resumed = EpochSampler(24, 1, 2), EpochSampler(24, 1, 2, begin=(3, 5))
    whole.set_epoch(3)
    # Before the trainer has said a word, too.
    assert list(resumed) == list(whole)[5:]
    for epoch, first in ((3, 5), (4, 0)):
        whole.set_epoch(epoch)
        resumed.set_epoch(epoch)
        assert list(resumed) == list(whole)[first:] and len(resumed) == len(whole)
