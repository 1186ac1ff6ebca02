"""Audio files in folders, found by their suffixes. Imports no torch, so that a plan is there at once."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from saga_sr.core.errors import AudioError, DataError
from saga_sr.core.storage import is_address, is_within, names_below, reason_of, to_path

# What is taken for a recording in a folder. Named by itself, a file may have any suffix.
RECORDINGS = (
    *(".aac", ".ac3", ".aif", ".aifc", ".aiff", ".amr", ".ape", ".au", ".bwf", ".caf", ".dsf", ".dts", ".eac3"),
    *(".flac", ".gsm", ".m4a", ".m4b", ".mka", ".mp2", ".mp3", ".mpc", ".oga", ".ogg", ".opus", ".rf64", ".snd"),
    *(".spx", ".tak", ".tta", ".voc", ".w64", ".wav", ".wave", ".wma", ".wv"),
)  # fmt: skip
FILMS = (
    *(".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".vob"),
    *(".webm", ".wmv"),
)  # fmt: skip
SUFFIXES = RECORDINGS + FILMS


@dataclass
class Found:
    """What lies below a folder.

    Attributes:
        files: the audio files, in the order of their paths.
        others: all other files, and links to folders.
        unreadable: what could not be looked into, and why.
    """

    files: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    unreadable: list[tuple[Path, str]] = field(default_factory=list)


def look_into(folder: Path, without: Path | None = None) -> Found:
    """All that lies below `folder`; hidden files and folders are passed over, and links to folders not followed.

    Args:
        folder: here or in object storage.
        without: a folder that is passed over with all that is below it; `folder` itself never is.
    """
    if is_address(folder):
        return _look_elsewhere(folder, without)
    passed_over = _identity(without) if without is not None and not is_address(without) else None
    found, waiting = Found(), [os.fspath(folder)]
    while waiting:
        path = waiting.pop()
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        if passed_over is None or _identity(entry.path) != passed_over:
                            waiting.append(entry.path)
                    elif is_audio(entry.name) and entry.is_file():
                        found.files.append(Path(entry.path))
                    else:
                        found.others.append(Path(entry.path))
        except OSError as error:
            found.unreadable.append((Path(path), error.strerror or str(error)))
    # Paths are compared part by part: what lies in a folder stays together.
    found.files.sort(key=lambda path: path.parts)
    return found


def _look_elsewhere(folder: Path, without: Path | None) -> Found:
    """As `look_into`, in object storage."""
    try:
        names = names_below(folder)
    except OSError as error:
        return Found(unreadable=[(folder, reason_of(error))])
    found = Found()
    passed_over = without if without is not None and is_within(without, folder) else None
    for name in sorted(names, key=lambda name: name.split("/")):
        path = folder / name
        if is_hidden(name) or (passed_over is not None and is_within(path, passed_over)):
            continue
        (found.files if is_audio(name) else found.others).append(path)
    return found


def is_hidden(name: str) -> bool:
    """Whether a name with `/` is that of what is passed over in folders."""
    # Some kinds of object storage have empty files in the place of folders, whose names end in /.
    return any(part[:1] in ("", ".") for part in name.split("/"))


def is_audio(name: str) -> bool:
    """Whether a file is taken for audio in a folder, by its suffix."""
    return os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122 - of many: twenty times as fast as Path


def _identity(folder: str | Path) -> tuple[int, int] | None:
    """What tells a folder from all others, by whatever path it is reached; None if there is none."""
    try:
        status = Path(folder).stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def find_audio(folder: str | Path) -> list[Path]:
    """The audio files below `folder`, sorted; hidden files and folders are passed over.

    Raises:
        AudioError: the folder is missing or holds none.
    """
    root = to_path(folder)
    if not is_address(root) and not root.is_dir():
        raise AudioError(f"There is no folder {root}; give one that holds audio files.")
    found = look_into(root)
    if is_address(root) and found.unreadable:
        raise AudioError(f"{root} cannot be read ({found.unreadable[0][1]}); check its address.")
    if not found.files:
        raise AudioError(f"{root} holds no audio files; give a folder with recordings or films.")
    return found.files


def by_stem(folder: str | Path) -> dict[Path, Path]:
    """The audio files below `folder` by their paths there without the suffix.

    Raises:
        AudioError: the folder is missing or holds none.
        DataError: two of them differ in their suffixes alone.
    """
    found: dict[Path, Path] = {}
    for path in find_audio(folder):
        stem = path.relative_to(folder).with_suffix("")
        if stem in found:
            raise DataError(f"{found[stem]} and {path} are one recording by their names; keep one of them.")
        found[stem] = path
    return found
