"""What users should know of a result."""

from __future__ import annotations

import logging
from collections.abc import Iterable

logger = logging.getLogger(__name__)


def warn(notes: Iterable[str]) -> None:
    """Log each of `notes` as a warning."""
    for note in notes:
        logger.warning("%s", note)
