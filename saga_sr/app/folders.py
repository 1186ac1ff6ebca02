"""Which paths of the machine users of the app can name, and names that are only names."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from saga_sr.core.errors import UsageError

# Bytes of a name that is kept; systems take 255, and results and parts of them have longer ones.
LONGEST_NAME = 180


def allowed(path: str | Path, folders: Sequence[Path], setting: str) -> Path:
    """`path` without links, if it lies in one of `folders`.

    Args:
        folders: without links.
        setting: that names them, for the message.

    Raises:
        UsageError: it lies elsewhere.
    """
    try:
        real = Path(os.path.realpath(Path(path).expanduser()))
    except (ValueError, RuntimeError, OSError):  # a zero in it, or no such user
        real = None
    if real is None or not any(real == folder or folder in real.parents for folder in folders):
        where = ", ".join(map(str, folders)) or "none"
        raise UsageError(
            f"{path} lies in no folder that this app may use for that ({where}); start it with {setting}=FOLDER."
        )
    return real


def safe_name(name: str) -> str:
    """The last part of a path that a user has named, without signs that are none, and short enough for any system."""
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    kept = "".join(sign for sign in last if unicodedata.category(sign)[0] != "C").strip().lstrip(".")
    stem, dot, suffix = kept.rpartition(".")
    if not dot or len(suffix) > 8:
        stem, suffix = kept, ""
    room = LONGEST_NAME - len(suffix.encode()) - 1
    stem = stem.encode()[:room].decode(errors="ignore").strip()
    return f"{stem or 'recording'}{'.' if suffix else ''}{suffix}"
