"""Weights that products read in bfloat16, beside the exact ones that training adds to.

Under autocast each step rounds all weights to bfloat16 before it multiplies, and widens all gradients afterwards. Here
the rounded weights stay from step to step, and the optimiser reads their gradients and writes them anew where it passes
by anyway. What is rounded, and when, is as under autocast, so that training goes the same way. The exact weights stay
the model's parameters: checkpoints, averages and packages are what they are without.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from torch.optim.adamw import adamw

from saga_sr.core.errors import ConfigError

# So many weights at a time, that what is widened of their gradients stays in the cache.
AT_ONCE = 2**20


class RoundedAdamW(AdamW):
    """AdamW of exact weights by the gradients of rounded ones, in AdamW's order and with AdamW's state.

    Args:
        params: parameters, and rounded weights in the place of those that they are of.
        exact: the parameters of rounded weights.
        **settings: of AdamW.
    """

    def __init__(self, params: Iterable[Tensor], exact: dict[Tensor, Tensor], **settings: Any) -> None:
        super().__init__(list(params), **settings)
        self.exact = exact
        self.scale = 1.0

    def clip(self, limit: float) -> Tensor:
        """The norm of all gradients, which the next step scales down to the `limit`."""
        gradients = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
        norms = [torch.linalg.vector_norm(gradient, dtype=torch.float32) for gradient in gradients]
        norm = torch.linalg.vector_norm(torch.stack(norms))
        self.scale = min(limit / (float(norm) + 1e-6), 1.0)
        return norm

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """A step of all weights; see AdamW."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._step_of(parameter, group)
        self.scale = 1.0
        return loss

    def _step_of(self, parameter: Tensor, group: dict[str, Any]) -> None:
        exact, state = self.exact.get(parameter, parameter), self.state[parameter]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32, device=exact.device)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(exact), torch.zeros_like(exact)
        places = (exact, parameter.grad, state["exp_avg"], state["exp_avg_sq"], parameter)
        pieces = zip(*(cast(Tensor, x).detach().reshape(-1).split(AT_ONCE) for x in places), strict=True)
        for weight, gradient, first, second, rounded in pieces:
            gradient = gradient.float() if self.scale == 1 else gradient.float().mul_(self.scale)
            adamw(
                [weight], [gradient], [first], [second], [], [state["step"].clone()], fused=True,
                lr=float(group["lr"]), beta1=group["betas"][0], beta2=group["betas"][1],
                weight_decay=group["weight_decay"], eps=group["eps"], amsgrad=False, maximize=group["maximize"],
            )  # fmt: skip
            if exact is not parameter:
                rounded.copy_(weight)
        state["step"] += 1

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take a state; PyTorch would round it as its parameter is."""
        super().load_state_dict(state_dict)
        names = [name for group in state_dict["param_groups"] for name in group["params"]]
        for name, parameter in zip(names, (p for group in self.param_groups for p in group["params"]), strict=True):
            for moment in ("exp_avg", "exp_avg_sq"):
                if parameter in self.exact and name in state_dict["state"]:
                    self.state[parameter][moment] = state_dict["state"][name][moment].to(parameter.device).clone()


def rounding(
    make: Callable[..., Optimizer], network: nn.Module, precision: str, world_size: int
) -> Callable[[Iterable[nn.Parameter]], Optimizer]:
    """What makes a `RoundedAdamW` of parameters, with rounded weights for the linear layers of `network`.

    Args:
        make: makes an AdamW of parameters.
        precision: of training, as Lightning calls it.
        world_size: how many processes train.

    Raises:
        ConfigError: products are not in bfloat16, processes would sum gradients, or it is another optimiser.
    """
    if precision != "bf16-mixed" or world_size > 1 or not (isinstance(make, partial) and make.func is AdamW):
        raise ConfigError(
            "trainer.rounded_weights=true is for optimizer=adamw with trainer.precision=bf16-mixed in one process, and "
            f"this is precision={precision} in {world_size}; leave it out."
        )
    settings = make.keywords

    def rounded(parameters: Iterable[nn.Parameter]) -> Optimizer:
        parameters, instead = list(parameters), dict[Tensor, Tensor]()
        for layer in network.modules():
            if isinstance(layer, nn.Linear) and hasattr(layer, "rounded") and layer.weight.requires_grad:
                instead[layer.weight] = layer.weight.detach().bfloat16().requires_grad_()
                layer.rounded = instead[layer.weight]
        exact = {rounded: parameter for parameter, rounded in instead.items()}
        return RoundedAdamW([instead.get(p, p) for p in parameters], exact, **settings)

    return rounded
