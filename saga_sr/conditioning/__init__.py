"""What guides a backbone: the `Conditioning` type, and the conditions that it is made of."""

from saga_sr.conditioning.types import Conditioning

__all__ = ["Conditioning"]
