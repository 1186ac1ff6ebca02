"""What guides a backbone: the `Conditioning` type, what a user asks for, and the conditions that it is made of."""

from saga_sr.conditioning.types import Conditioning, ConditionRequest

__all__ = ["ConditionRequest", "Conditioning"]
