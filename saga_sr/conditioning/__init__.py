"""What guides a backbone: the `Conditioning` type, and the conditioners that make it."""

from saga_sr.conditioning.types import Conditioning

__all__ = ["Conditioning"]
