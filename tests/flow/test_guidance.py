from __future__ import annotations

import pytest
import torch

from saga_sr.core.errors import ConfigError
from saga_sr.flow.guidance import (
    WHOLE,
    Branch,
    ClassifierFree,
    DistilledGuidance,
    Guidance,
    JoinedBranches,
    Nested,
    Parallel,
    branches,
    changed,
    combine,
)

ALL = {"acoustic", "text", "rolloff"}


def guided(guidance: Guidance, velocity: dict[Branch, torch.Tensor], conditions: set[str] = ALL) -> torch.Tensor:
    weights = branches(guidance, conditions)
    return combine(torch.stack([velocity[branch] for branch in weights]), weights.values())


@pytest.fixture
def velocity() -> dict[Branch, torch.Tensor]:
    torch.manual_seed(0)
    names = ["acoustic", "text", "rolloff"]
    subsets = [Branch(n for i, n in enumerate(names) if mask >> i & 1) for mask in range(8)]
    return {subset: torch.randn(2, 3, 4) for subset in subsets}


def test_scale_1_needs_one_branch_and_changes_nothing(velocity: dict[Branch, torch.Tensor]) -> None:
    assert branches(ClassifierFree(1.0), ALL) == {Branch(): 1.0}
    assert torch.equal(guided(ClassifierFree(1.0), velocity), velocity[Branch()])
    for guidance in (Nested(1.0, 1.0),):
        assert list(branches(guidance, ALL)) == [Branch()]


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
    chosen = branches(guidance, conditions)
    assert len(chosen) == count and sum(chosen.values()) == pytest.approx(1)


def test_the_unconditional_branch_of_parallel_does_not_see_the_rolloff() -> None:
    assert Branch({"acoustic", "rolloff", "text"}) in Parallel().weights


def test_each_clip_can_be_guided_by_a_scale_of_its_own(velocity: dict[Branch, torch.Tensor]) -> None:
    together = guided(Nested(torch.tensor([1.4, 1.0])[:, None, None], 1.2), velocity)
    for i, acoustic in enumerate((1.4, 1.0)):
        assert torch.allclose(together[i], guided(Nested(acoustic, 1.2), velocity)[i], atol=1e-5)


def test_a_distilled_guidance_is_one_branch_whatever_its_scales() -> None:
    own = changed(DistilledGuidance(acoustic=1.4, text=1.2), acoustic=2.0)
    assert own.wishes == {"guidance_scale": {"acoustic": 2.0, "text": 1.2}} and branches(own, ALL) == {WHOLE: 1.0}
    with pytest.raises(ConfigError, match="scale of DistilledGuidance, which has acoustic, text"):
        changed(own, scale=2.0)


class Branches:
    """A field whose branch i says t + i at every place, and which counts how many were asked for at each time."""

    def __init__(self, guidance: Guidance) -> None:
        self.weights = branches(guidance, ALL)
        self.asked: list[int] = []
        self.joined = JoinedBranches(self.predict, self.weights, guidance.schedule)

    def predict(self, z: torch.Tensor, t: torch.Tensor, n: int) -> tuple[torch.Tensor, None]:
        self.asked.append(n)
        return torch.stack([(t[:, None] + i).expand_as(z) for i in range(n)]), None

    def at(self, time: float) -> float:
        return float(self.joined(torch.zeros(1, 1), torch.tensor([time]))[0])


def test_outside_the_interval_the_whole_branch_goes_alone() -> None:
    field = Branches(ClassifierFree(3.0, interval=(0.25, 0.75)))
    assert list(field.weights) == [WHOLE, Branch({"acoustic"})]
    found = [field.at(t) for t in (0.0, 0.25, 0.5, 0.75)]
    assert field.asked == [1, 2, 2, 1]
    assert found == pytest.approx([0.0, 0.25 - 2, 0.5 - 2, 0.75])


def test_between_evaluations_of_all_branches_their_difference_is_kept() -> None:
    field, guidance = Branches(ClassifierFree(3.0, every=3)), ClassifierFree(3.0)
    found = [field.at(t) for t in (0.0, 0.1, 0.2, 0.3)]
    assert field.asked == [2, 1, 1, 2]
    # The branches differ by as much at all times, so that nothing is lost here.
    assert found == pytest.approx([Branches(guidance).at(t) for t in (0.0, 0.1, 0.2, 0.3)])


def test_a_guidance_without_the_whole_branch_gets_it_for_where_it_goes_alone() -> None:
    weights = branches(Parallel(1.4, 1.2, every=2), ALL)
    assert next(iter(weights.items())) == (WHOLE, 0.0) and len(weights) == 4
    assert sum(weights.values()) == pytest.approx(1)
    assert len(branches(Parallel(1.4, 1.2), ALL)) == 3


def test_the_schedule_is_changed_like_a_scale_and_refused_where_it_is_none() -> None:
    own = changed(Nested(1.4, 1.2), interval=[0.2, 0.9], every=2)
    assert (own.schedule.interval, own.schedule.every, own.weights) == ((0.2, 0.9), 2, Nested(1.4, 1.2).weights)
    for settings in ({"interval": [0.9, 0.2]}, {"interval": [0.5]}, {"every": 0}):
        with pytest.raises(ConfigError, match=r"guidance[.]"):
            changed(own, **settings)
