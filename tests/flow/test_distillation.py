"""Students of a teacher whose velocity is known: of Gaussian data, all ways are linear in noise and z_lr.

Of data N(g z_lr, s^2), different by channel, what any solver makes of noise e is a z_lr + b e.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from saga_sr.core.errors import ConfigError
from saga_sr.flow.distillation import StepDistillation, as_taught
from saga_sr.flow.guidance import ClassifierFree, GuidedVelocity, JoinedBranches, branches
from saga_sr.flow.objective import FlowMatching, NoisyExample
from saga_sr.flow.path import interpolate
from saga_sr.flow.prior import PURE_NOISE, Start
from saga_sr.flow.sampler import Sampler
from saga_sr.losses.mse import VelocityMSE

GAIN, LEVEL = torch.tensor([0.9, 0.5, 0.0])[:, None], torch.tensor([0.05, 0.6, 1.4])[:, None]


def normal(seed: int) -> Tensor:
    return torch.randn(16, 3, 10, generator=torch.Generator().manual_seed(seed))


def teacher(z_lr: Tensor, start: Start) -> GuidedVelocity:
    """The optimal velocity of a path from `start`, and the data's variance in units of the noise."""
    mean, width = (z_lr, start.width) if start.mean is not None else (torch.zeros(()), torch.ones(()))

    def moments(z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        t = t[:, None, None]
        noise, data = ((1 - t) * width) ** 2, (t * LEVEL) ** 2
        added = GAIN * z_lr - mean
        gain = (t * LEVEL**2 - (1 - t) * width**2) / (noise + data)
        variance = LEVEL**2 * (1 - t) ** 2 / (noise + data)
        return added + gain * (z - mean - t * added), variance.expand_as(z)

    return GuidedVelocity(moments)


class Student(nn.Module):
    """A linear velocity for each half of the time, and a variance for the solver that asks for one."""

    def __init__(self) -> None:
        super().__init__()
        self.of_z, self.of_z_lr, self.log_variance = (nn.Parameter(torch.zeros(2, 3, 1)) for _ in range(3))

    def field(self, z_lr: Tensor) -> GuidedVelocity:
        def moments(z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
            half = (t >= 0.5).long()
            velocity = self.of_z[half] * z + self.of_z_lr[half] * z_lr
            return velocity, self.log_variance[half].exp().expand_as(z)

        return GuidedVelocity(moments)


def starts(z_lr: Tensor) -> dict[str, Start]:
    return {"noise": PURE_NOISE, "low_resolution": Start(z_lr, torch.full((16, 3, 1), 0.4))}


def distilled(teachers: Sampler, students: Sampler, prior: str) -> Student:
    torch.manual_seed(0)
    student = Student()
    optimiser = torch.optim.Adam(student.parameters(), lr=0.1)
    distillation = StepDistillation(teachers, students)
    for step in range(250):
        optimiser.param_groups[0]["lr"] = 0.1 * (1 - step / 250)
        z_lr = normal(2 * step)
        start = starts(z_lr)[prior]
        estimate = distillation.estimate(teacher(z_lr, start), student.field(z_lr), normal(2 * step + 1), z_lr, start)
        optimiser.zero_grad()
        VelocityMSE()(estimate)["mse"].backward()
        optimiser.step()
    return student


@pytest.mark.parametrize(
    ("prior", "solver", "steps", "kind"),
    [
        ("noise", "euler", 1, "gaussian"),
        ("noise", "heun", 2, "rademacher"),
        ("noise", "gaussian", 2, "gaussian"),
        ("low_resolution", "euler", 2, "gaussian"),
        ("low_resolution", "gaussian", 1, "rademacher"),
    ],
)
def test_a_student_does_in_one_or_two_steps_what_its_teacher_does_in_sixteen(
    prior: str, solver: str, steps: int, kind: str
) -> None:
    teachers = Sampler(solver, 16, noise=kind)
    students = Sampler("gaussian" if solver == "gaussian" else "euler", steps, noise=kind, distilled=True)
    student = distilled(teachers, students, prior)
    z_lr, noise = normal(10**6), normal(10**6 + 1)
    start = starts(z_lr)[prior]
    with torch.no_grad():
        wanted = teachers(teacher(z_lr, start), noise, start=start)
        found = students(student.field(z_lr), noise, start=start)
        before = students(Student().field(z_lr), noise, start=start)
    assert (found - wanted).abs().max() < 0.01 < (before - wanted).abs().max()
    assert torch.allclose(found.std(dim=(0, 2)), wanted.std(dim=(0, 2)), rtol=0.01)


def test_the_estimate_says_where_each_step_begins_and_ends() -> None:
    z_lr, noise = normal(0), normal(1)
    start = starts(z_lr)["low_resolution"]
    teachers, students = Sampler("euler", 6, power=2.0), Sampler("euler", 3, power=2.0)
    still = GuidedVelocity(lambda z, t: (torch.zeros_like(z), None))
    estimate = StepDistillation(teachers, students).estimate(teacher(z_lr, start), still, noise, z_lr, start)
    field, z = teacher(z_lr, start), start.at(noise)
    times = [(i / 6) ** 2 for i in range(7)]
    for i in range(3):
        begin, t = z, times[2 * i]
        for now, after in ((t, times[2 * i + 1]), (times[2 * i + 1], times[2 * i + 2])):
            z = z + (after - now) * field(z, torch.full((16,), now))
        rows = slice(16 * i, 16 * (i + 1))
        mean_velocity = (z - begin) / (times[2 * i + 2] - t)
        assert torch.allclose(estimate.target_velocity[rows], mean_velocity, atol=1e-4)
        assert torch.allclose(estimate.target_data[rows], begin + (1 - t) * mean_velocity, atol=1e-4)
        assert torch.allclose(estimate.velocity[rows], torch.zeros(()), atol=1e-5)
        assert torch.allclose(estimate.data[rows], begin, atol=1e-4) and torch.equal(estimate.z_lr[rows], z_lr)


def test_only_the_student_learns() -> None:
    taught, student, z_lr = Student(), Student(), normal(0)
    distillation = StepDistillation(Sampler("euler", 4), Sampler("euler", 2))
    estimate = distillation.estimate(taught.field(z_lr), student.field(z_lr), normal(1), z_lr, PURE_NOISE)
    (estimate.velocity - estimate.target_velocity - 1).square().mean().backward()
    assert taught.of_z.grad is None and student.of_z.grad is not None and bool(student.of_z.grad.all())


@pytest.mark.parametrize("steps", [3, 32])
def test_steps_that_do_not_end_together_are_refused(steps: int) -> None:
    with pytest.raises(ConfigError, match=rf"teacher_steps=16 must be a multiple of distillation\.steps={steps}"):
        StepDistillation(Sampler("euler", 16), Sampler("euler", steps))


def test_a_distilled_network_knows_its_own_steps_alone() -> None:
    own = Sampler("euler", 2, distilled=True)
    for effort in ("fast", "balanced", "best"):
        assert vars(own.changed(effort=effort)) == vars(own)
    assert vars(own.changed(steps=2, solver="euler")) == vars(own)
    for other in ({"steps": 4}, {"solver": "heun"}, {"noise": "rademacher"}, {"power": 2.0}):
        with pytest.raises(ConfigError, match=r"distilled into sampler\.steps=2 of solver=euler"):
            own.changed(**other)


class Told(nn.Module):
    """A velocity linear in z and z_lr, whose gains are linear in the scale it is told; one for each of a few times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.gains = nn.Parameter(torch.zeros(times, 2, 2, 3, 1))

    def forward(self, z: Tensor, z_lr: Tensor, place: Tensor, scale: Tensor) -> Tensor:
        of_z, of_z_lr = (gain[:, 0] + (scale - 2) * gain[:, 1] for gain in self.gains[place].unbind(1))
        return of_z * z + of_z_lr * z_lr


def test_a_student_that_is_told_the_scale_learns_the_guided_velocity_at_every_scale() -> None:
    """Both branches are optimal velocities of Gaussian data; what guidance makes of them is linear in its scale."""
    times = torch.tensor([0.1, 0.5, 0.9])
    objective, student = FlowMatching("velocity"), Told(len(times))
    optimiser = torch.optim.LBFGS(student.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def guided(z_lr: Tensor, scale: Tensor) -> GuidedVelocity:
        guidance = ClassifierFree(scale)

        def predict(z: Tensor, t: Tensor, n: int) -> tuple[Tensor, None]:
            with_z_lr, without = teacher(z_lr, PURE_NOISE), teacher(torch.zeros_like(z_lr), PURE_NOISE)
            return torch.stack([field(z, t) for field in (with_z_lr, without)[:n]]), None

        return GuidedVelocity(JoinedBranches(predict, branches(guidance, {"acoustic"}), guidance.schedule))

    z_lr, z_0, z_hr = (torch.cat([normal(3 * i + j) for i in range(12)]) for j in range(3))
    draw = torch.Generator().manual_seed(0)
    place, scale = torch.randint(3, (192,), generator=draw), 1 + 2 * torch.rand(192, 1, 1, generator=draw)
    t = times[place]
    example = as_taught(NoisyExample(z_hr, z_0, interpolate(z_0, z_hr, t), t), guided(z_lr, scale))

    def loss() -> Tensor:
        optimiser.zero_grad()
        found = VelocityMSE()(objective.estimate(student(example.z_t, z_lr, place, scale), example, z_lr))["mse"]
        found.backward()
        return found

    optimiser.step(loss)
    z_lr, z = normal(10**6), normal(10**6 + 1)
    for place in range(3):
        for scale in (1.0, 1.7, 3.0):
            each = torch.full((16, 1, 1), scale)
            wanted = guided(z_lr, each)(z, times[place].expand(16))
            found = student(z, z_lr, torch.full((16,), place), each)
            assert (found - wanted).abs().max() < 0.01 * wanted.abs().max()
