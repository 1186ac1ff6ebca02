"""A bar in notebooks, for calls that were not told whom to tell how far they are."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from saga_sr.inference.progress import Progress


def in_notebook() -> bool:
    """Whether a Jupyter kernel runs this."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and "IPKernelApp" in shell.config


@contextmanager
def with_bar(progress: Progress | None, name: str) -> Iterator[Progress | None]:
    """`progress`, or in a notebook a bar in its place, which comes after a second and goes at the end.

    Args:
        name: of what is being done.
    """
    if progress is not None or not in_notebook():
        yield progress
        return
    with warnings.catch_warnings():
        # Without ipywidgets the bar is made of text, which needs no word.
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm
    with tqdm(desc=name, unit="s", delay=1, leave=False) as bar:

        def at(done_s: float, total_s: float) -> None:
            bar.total = round(total_s, 1)
            bar.update(round(done_s, 1) - bar.n)

        yield at
