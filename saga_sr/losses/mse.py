"""Mean squared error of the velocity."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import mse_loss

from saga_sr.flow.objective import Estimate


class VelocityMSE(nn.Module):
    """The flow-matching loss E |v_hat - v|^2 (Lipman et al. 2023, eq. 9)."""

    def forward(self, estimate: Estimate) -> dict[str, Tensor]:
        """Named terms of the loss of `estimate`; they are summed for the gradient."""
        return {"mse": mse_loss(estimate.velocity, estimate.target_velocity)}
