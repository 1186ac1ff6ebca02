"""What a command's words stand for: recordings, and where each lies below what was named."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from saga_sr.core.errors import AudioError
from saga_sr.core.storage import (
    as_named,
    below,
    is_address,
    is_folder,
    is_there,
    is_within,
    matching,
    plain,
    reaching,
    reason_of,
)
from saga_sr.files.finding import is_audio, is_hidden, look_into

LIST = "@"


@dataclass
class Inputs:
    """The recordings that were named.

    Attributes:
        found: a file, and its place: where it lies below what led to it.
        failures: a sentence for each thing named that is not there, or cannot be looked into.
        passed_over: what else the folders hold.
    """

    found: list[tuple[Path, Path]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    passed_over: set[Path] = field(default_factory=set)

    @property
    def remark(self) -> str | None:
        """What of the folders is not taken, in a sentence; None if all is."""
        if not self.passed_over:
            return None
        counts = Counter(_kind(path) for path in self.passed_over)
        kinds = ", ".join(f"{count} {kind or 'without a suffix'}" for kind, count in counts.most_common())
        return f"Passed over {len(self.passed_over)} files that are no recordings by their suffixes: {kinds}."


def find_inputs(words: Iterable[str | Path], without: Path | None = None) -> Inputs:
    """Find the recordings that `words` stand for; each is taken once.

    Args:
        words: files, folders (searched recursively), patterns (`music/**/*.mp3`), and lists: `@` and the name of a text
            file with one of these on each line, relative to the list's folder; lines that begin with `#` are comments.
            What there is by the very name of a word is never a pattern or a list. All may be in object storage, and
            what is here may be named with `file://`.
        without: a folder below which nothing is taken, where results go, unless what is named lies in it.
    """
    inputs = Inputs()
    for word in map(plain, map(str, words)):
        if is_list(word):
            _add_list(inputs, as_named(word[len(LIST) :]), without)
        elif is_address(word):
            _add_elsewhere(inputs, word, without)
        elif is_pattern(word):
            _add_matching(inputs, Path(word), without)
        else:
            _add(inputs, word, without)
    inputs.found = list(dict.fromkeys(inputs.found))
    return inputs


def find_recordings(words: Iterable[str | Path]) -> list[tuple[Path, Path]]:
    """The recordings that `words` stand for, see `find_inputs`, and where each lies below what was named.

    Raises:
        AudioError: something is not there, or there are none.
    """
    words = list(words)
    inputs = find_inputs(words)
    if inputs.failures:
        raise AudioError(inputs.failures[0])
    if not inputs.found:
        raise AudioError(no_recordings(words))
    return inputs.found


def no_recordings(words: Sequence[str | Path]) -> str:
    """That `words` stand for no recordings, in a sentence."""
    named = ", ".join(map(str, words[:3])) + (", ..." if len(words) > 3 else "")
    return f"There are no recordings in {named}; name files, or folders that hold some."


def is_list(word: str) -> bool:
    """Whether `word` is a list of recordings."""
    return word.startswith(LIST) and not os.path.lexists(word)


def is_pattern(word: str) -> bool:
    """Whether `word` stands for files that match it, of which there are some, unless it is an address."""
    if not glob.has_magic(word):
        return False
    if is_address(word):
        try:
            return not is_there(as_named(word))
        except OSError:
            return True  # why is told when it is looked for
    if os.path.lexists(word):
        return False
    return next(glob.iglob(word, recursive=True), None) is not None  # noqa: PTH207 - Path.glob takes no absolute ones


def _add(inputs: Inputs, word: str, without: Path | None, place: Path | None = None) -> None:
    """Add a file, or what is in a folder.

    Args:
        place: of the file, or that all in the folder lies below; by itself, a file lies at its name.
    """
    path = as_named(word)
    if is_folder(path):
        _add_folder(inputs, path, without, place)
    elif is_there(path):
        inputs.found.append((path, place or Path(path.name)))
    else:
        inputs.failures.append(f"There is no file or folder {word}; check the name.")


def _add_folder(inputs: Inputs, path: Path, without: Path | None, place: Path | None) -> None:
    found, top = look_into(path, without), place or Path()
    inputs.found += [(file, top / str(file.relative_to(path))) for file in found.files]
    inputs.passed_over.update(found.others)
    inputs.failures += [f"{folder} cannot be looked into ({why})." for folder, why in found.unreadable]


def _kind(path: Path) -> str:
    return "links to folders" if not is_address(path) and path.is_dir() else path.suffix.lower()


def _add_elsewhere(inputs: Inputs, word: str, without: Path | None, place: Path | None = None) -> None:
    """Add what an address stands for: a file, what is in a folder, or what matches a pattern.

    Args:
        place: see `_add`; it may end in a pattern, too.
    """
    path = as_named(word)
    try:
        if not is_pattern(word):
            _add(inputs, word, without, place)
            return
        plain = next(folder for folder in path.parents if not glob.has_magic(str(folder)))
        matches = matching(path, plain)
    except OSError as error:
        inputs.failures.append(
            f"{word} cannot be looked into ({reason_of(error)}); check its address, and that you may read there."
        )
        return
    kept = place.parents[len(path.relative_to(plain).parts) - 1] if place else Path()
    passed_over = without if without is not None and is_within(without, plain) else None
    for match, folder in matches.items():
        name = str(match.relative_to(plain))
        if is_hidden(name) or (passed_over is not None and is_within(match, passed_over)):
            continue
        if folder:
            _add_folder(inputs, match, without, kept / name)
        elif is_audio(name) or match.suffix == path.suffix:
            inputs.found.append((match, kept / name))
        else:
            inputs.passed_over.add(match)
    if not matches:
        inputs.failures.append(f"Nothing matches {word}; check the pattern.")


def _add_list(inputs: Inputs, path: Path, without: Path | None) -> None:
    """Add what the lines of a list stand for; what they write below the list's folder keeps its folders."""
    try:
        # Names are bytes, and may hold what only text takes for the end of a line.
        with reaching(path):
            lines = path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    except OSError as error:
        inputs.failures.append(f"The list {path} cannot be read ({reason_of(error)}); give a text file of paths.")
        return
    for line in map(os.fsdecode, lines):
        line = line.removesuffix("\r")
        named = plain(line.strip())
        if is_address(path) or is_address(named):
            if named and not named.startswith("#"):
                is_below = not is_address(named) and not Path(named).is_absolute() and ".." not in Path(named).parts
                _add_elsewhere(inputs, str(below(path.parent, named)), without, Path(named) if is_below else None)
            continue
        entry = Path(line if os.path.lexists(path.parent / line) else named)
        exists = os.path.lexists(path.parent / entry)
        if not line.strip() or (line.startswith("#") and not exists):
            continue
        is_below = not entry.is_absolute() and ".." not in entry.parts
        if not exists and glob.has_magic(str(entry)):
            _add_matching(inputs, entry, without, path.parent, is_below)
        else:
            _add(inputs, str(path.parent / entry), without, entry if is_below else None)


def _add_matching(
    inputs: Inputs, pattern: Path, without: Path | None, root: Path | None = None, whole: bool = False
) -> None:
    """Add what matches `pattern`, relative to `root`.

    Args:
        whole: whether all of the folders written in the pattern are kept, instead of those from its first sign on.
    """
    plain = next(i for i, part in enumerate(pattern.parts) if glob.has_magic(part))
    top = Path() if whole else Path(*pattern.parts[:plain])
    # Path.glob takes no absolute patterns.
    names = glob.glob(str(pattern), root_dir=root, recursive=True)  # noqa: PTH207
    matching = sorted(map(Path, names), key=lambda path: path.parts)
    if not matching:
        inputs.failures.append(f"Nothing matches {pattern} in {root}; check the pattern.")
    root = root or Path()
    results = without.absolute() if without is not None else None
    if results is not None and results in ((root / top).absolute(), *(root / top).absolute().parents):
        results = None
    for match in matching:
        path = root / match
        if results is not None and results in path.absolute().parents:
            continue
        if is_audio(path.name) or path.suffix == pattern.suffix or path.is_dir():
            _add(inputs, str(path), without, match.relative_to(top))
        else:
            inputs.passed_over.add(path)
