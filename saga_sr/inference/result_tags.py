"""What the result of a file tells of itself: what the file told, and what has made it."""

from __future__ import annotations

from pathlib import Path

from saga_sr.core.version import __version__
from saga_sr.files.metadata import Metadata
from saga_sr.files.reading import AudioInfo, reason_of


def result_tags(source: Path, info: AudioInfo, result_hz: int, model: str) -> tuple[Metadata, list[str]]:
    """What the result tells, with positions at its rate, and what could not be read, in a sentence.

    Args:
        source: its file.
        info: what that holds.
        model: its name, or an empty text.
    """
    # mutagen takes a while to import.
    from saga_sr.files.tagging import read_metadata

    notes: list[str] = []
    try:
        found = read_metadata(source, info.sample_rate).at_rate(result_hz)
    except Exception as error:
        found = Metadata(result_hz)
        notes = [f"{info.path} has tags that cannot be read ({reason_of(error)}); the result goes without them."]
    return found.made_by(maker(model)), notes


def maker(model: str) -> str:
    """What makes files, with the name of the `model`, if it has one."""
    return f"saga-sr {__version__}" + (f", model {model}" if model else "")
