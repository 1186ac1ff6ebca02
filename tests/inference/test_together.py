from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from saga_sr.inference.together import Together


def test_chunks_that_do_not_fit_are_halved_and_it_is_said(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[int] = []

    def restore(items: Sequence[int]) -> Tensor:
        seen.append(len(items))
        if len(items) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return torch.tensor(items) * 10

    together = Together(7)
    found = list(together.work(range(7), restore))
    assert [(item, int(result)) for item, result in found] == [(i, 10 * i) for i in range(7)]
    assert seen == [7, 3, 1, 2, 4, 2, 2] and together.count == 2
    assert "7 chunks at once need more memory than there is; 3 are restored at once" in caplog.text


def test_one_that_does_not_fit_is_no_result() -> None:
    def restore(items: Sequence[int]) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        list(Together(2).work([0, 1], restore))
