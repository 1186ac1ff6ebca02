from __future__ import annotations

import pytest
import torch

from saga_sr.flow.guidance import Branch, ClassifierFree, Guidance, Nested, Parallel, branches, combine

ALL = {"acoustic", "text", "rolloff"}


def guided(guidance: Guidance, velocity: dict[Branch, torch.Tensor], conditions: set[str] = ALL) -> torch.Tensor:
    weights = branches(guidance.weights, conditions)
    return combine(torch.stack([velocity[branch] for branch in weights]), weights.values())


@pytest.fixture
def velocity() -> dict[Branch, torch.Tensor]:
    torch.manual_seed(0)
    names = ["acoustic", "text", "rolloff"]
    subsets = [Branch(n for i, n in enumerate(names) if mask >> i & 1) for mask in range(8)]
    return {subset: torch.randn(2, 3, 4) for subset in subsets}


def test_scale_1_needs_one_branch_and_changes_nothing(velocity: dict[Branch, torch.Tensor]) -> None:
    assert branches(ClassifierFree(1.0).weights, ALL) == {Branch(): 1.0}
    assert torch.equal(guided(ClassifierFree(1.0), velocity), velocity[Branch()])
    for guidance in (Nested(1.0, 1.0),):
        assert list(branches(guidance.weights, ALL)) == [Branch()]


def test_classifier_free_extrapolates_away_from_the_branch_without_z_lr(velocity: dict[Branch, torch.Tensor]) -> None:
    with_z, without = velocity[Branch()], velocity[Branch({"acoustic"})]
    assert torch.allclose(guided(ClassifierFree(3.0), velocity), without + 3 * (with_z - without), atol=1e-5)


@pytest.mark.parametrize(("s_a", "s_t"), [(1.4, 1.2), (3.0, 0.5), (1.2, 1.2), (1.0, 2.0)])
def test_nested_follows_its_formula(velocity: dict[Branch, torch.Tensor], s_a: float, s_t: float) -> None:
    v_at, v_a, v_0 = velocity[Branch()], velocity[Branch({"text"})], velocity[Branch({"text", "acoustic"})]
    expected = v_0 + s_a * (v_a - v_0) + s_t * (v_at - v_a)
    assert torch.allclose(guided(Nested(s_a, s_t), velocity), expected, atol=1e-5)


@pytest.mark.parametrize(("s_a", "s_t"), [(1.4, 1.2), (0.0, 1.0), (0.4, 0.6)])
def test_parallel_follows_its_formula(velocity: dict[Branch, torch.Tensor], s_a: float, s_t: float) -> None:
    v_a, v_t, v_0 = velocity[Branch({"text"})], velocity[Branch({"acoustic", "rolloff"})], velocity[Branch(ALL)]
    expected = v_0 + s_a * (v_a - v_0) + s_t * (v_t - v_0)
    assert torch.allclose(guided(Parallel(s_a, s_t), velocity), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("guidance", "conditions", "count"),
    [
        (Nested(1.4, 1.2), ALL, 3),
        (Nested(1.2, 1.2), ALL, 2),  # v_a vanishes
        (Nested(1.0, 1.2), ALL, 2),  # v_0 vanishes
        (Nested(1.4, 0.0), ALL, 2),  # v_at vanishes
        (Nested(1.4, 1.2), {"acoustic"}, 2),  # text is not there to be guided by
        (Parallel(1.4, 1.2), ALL, 3),
        (Parallel(0.4, 0.6), ALL, 2),
        (Parallel(1.4, 1.2), {"acoustic"}, 2),
        (ClassifierFree(0.0), ALL, 1),
    ],
)
def test_vanishing_and_equal_branches_are_not_computed(guidance: Guidance, conditions: set[str], count: int) -> None:
    chosen = branches(guidance.weights, conditions)
    assert len(chosen) == count and sum(chosen.values()) == pytest.approx(1)


def test_the_unconditional_branch_of_parallel_does_not_see_the_rolloff() -> None:
    assert Branch({"acoustic", "rolloff", "text"}) in Parallel().weights
