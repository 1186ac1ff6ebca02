"""What shows that an item of a shard is as it was written."""

from __future__ import annotations

import zlib

from torch import Tensor


def checksum(content: Tensor | bytes) -> int:
    """CRC-32 of bytes, or of a tensor's numbers."""
    return zlib.crc32(content.contiguous().numpy().tobytes() if isinstance(content, Tensor) else content)
