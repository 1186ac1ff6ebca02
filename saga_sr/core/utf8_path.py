"""Files with any name, for libraries that take none but UTF-8."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def utf8_path(path: Path) -> Iterator[Path]:
    """A way to the file `path` whose name is UTF-8: itself, or through a link to its folder while it is needed."""
    if as_text(str(path)) == str(path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / "link"
        link.symlink_to(path.resolve().parent, target_is_directory=True)
        yield link / path.name


def as_text(name: str) -> str:
    """`name` of a file as text: bytes that are not UTF-8 become `\\xff`."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")
