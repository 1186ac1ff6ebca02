"""Captions of recordings: from captions.jsonl in their folder, a table that the user names, or texts beside the files.

A caption holds for a whole recording or for a stretch of it.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saga_sr.core.errors import DataError

logger = logging.getLogger(__name__)

CAPTIONS_FILE = "captions.jsonl"
PATH_COLUMNS = ("path", "file", "audio")
CAPTION_COLUMNS = ("caption", "text", "transcript")
TABLES = {".csv": ",", ".tsv": "\t"}
JSON_LINES = (".jsonl", ".ndjson", ".json")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Entry:
    """The caption of a stretch of a recording; `path` is relative to the folder or absolute."""

    path: str
    caption: str
    start_s: float = 0.0
    end_s: float = math.inf

    def covers(self, time_s: float) -> bool:
        """Whether the stretch holds that moment."""
        return self.start_s <= time_s < self.end_s


class Captions:
    """What is said of recordings, by path and time.

    Args:
        entries: of each recording, those that win first.
    """

    def __init__(self, entries: Mapping[Path, Sequence[Entry]] | None = None) -> None:
        self._entries = {path: tuple(found) for path, found in (entries or {}).items() if found}

    def __contains__(self, path: Path) -> bool:
        """Whether any moment of the recording has a caption."""
        return path in self._entries

    def at(self, path: Path, time_s: float) -> str:
        """The caption of the recording at that moment, in seconds from its begin; "" where there is none."""
        return next((entry.caption for entry in self._entries.get(path, ()) if entry.covers(time_s)), "")


def read_captions(folder: str | Path, files: Iterable[Path], named: str | Path | None = None) -> Captions:
    """The captions of `files`.

    The file `named` wins over `captions.jsonl` in `folder`, and that over a `.txt` beside the recording. Within one of
    them a shorter stretch wins over a longer one, and a later line over an earlier one. Empty captions are none.

    Args:
        folder: to which the paths in tables are relative.
        files: the recordings, by the paths under which they are looked up.
        named: a CSV, TSV or JSONL file of the user's.

    Raises:
        DataError: `named` is missing, or some of the captions cannot be read.
    """
    root, recordings = Path(folder), list(files)
    tables = [Path(named)] if named is not None else []
    if tables and not tables[0].is_file():
        raise DataError(f"There is no file {named} with captions; check data.captions.")
    if (root / CAPTIONS_FILE).is_file():
        tables.append(root / CAPTIONS_FILE)
    # The same recording may be named by way of a link.
    found: dict[Path, list[Entry]] = {path.resolve(): [] for path in recordings}
    for table in dict.fromkeys(tables):
        _add(table, root, found)
    return Captions({path: [*found[path.resolve()], *_beside(path)] for path in recordings})


def _add(table: Path, root: Path, found: dict[Path, list[Entry]]) -> None:
    """Append the captions that `table` gives to those of the recordings in `found`."""
    entries = [((root / entry.path).resolve(), entry) for entry in read_table(table)]
    lost = [entry.path for path, entry in entries if path not in found]
    if lost:
        logger.warning(
            "%d of %d entries of %s name no readable recording in %s (such as %s) and are passed over.",
            *(len(lost), len(entries), table, root, lost[0]),
        )
    for path, entry in sorted(reversed(entries), key=lambda pair: pair[1].end_s - pair[1].start_s):
        if entry.caption and path in found:
            found[path].append(entry)


def read_table(path: Path) -> list[Entry]:
    """The entries of a CSV, TSV or JSONL file, in its order.

    Raises:
        DataError: another format, bytes that are not UTF-8, or a line that is no entry.
    """
    suffix = path.suffix.lower()
    if suffix in TABLES:
        return _read_csv(path, TABLES[suffix])
    if suffix in JSON_LINES:
        return read_json_lines(path)
    raise DataError(f"{path} is no table of captions by its name; give a {', '.join([*TABLES, *JSON_LINES])} file.")


def read_json_lines(path: Path) -> list[Entry]:
    """The entries of a JSONL file; a last line that was cut off as it was written is passed over with a warning.

    Raises:
        DataError: bytes that are not UTF-8, or a line that is no entry.
    """
    entries = []
    lines = _bytes(path).split(b"\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            fields = json.loads(_decoded(line, where))
        except (DataError, json.JSONDecodeError) as error:
            # Whole lines end in a newline.
            if number == len(lines) and line.startswith(b"{"):
                logger.warning("The last line of %s is cut off and passed over.", path)
                break
            if isinstance(error, DataError):
                raise
            raise DataError(f"{where} is no JSON ({error.msg}); mend or remove the line.") from error
        if not isinstance(fields, dict):
            raise DataError(f'{where} is no JSON object; write {{"path": ..., "caption": ...}} there.')
        entries.append(_entry(fields, where))
    return entries


def _read_csv(path: Path, delimiter: str) -> list[Entry]:
    reader = csv.DictReader(io.StringIO(_decoded(_bytes(path), str(path)), newline=""), delimiter=delimiter)
    try:
        reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
        for names in (PATH_COLUMNS, CAPTION_COLUMNS):
            _pick(reader.fieldnames, names, f"{path}")
        return [_entry(row, f"{path}, line {reader.line_num}") for row in reader]
    except csv.Error as error:
        raise DataError(
            f"{path} cannot be read as CSV near line {reader.line_num} ({error}); save it again."
        ) from error


def _pick(there: Iterable[str], names: Sequence[str], where: str) -> str:
    for name in names:
        if name in there:
            return name
    raise DataError(
        f"{where} has no {names[0]} column (there are: {', '.join(map(str, there)) or 'none'}); "
        f"name one {', '.join(names[:-1])} or {names[-1]}."
    )


def _entry(fields: Mapping[str, Any], where: str) -> Entry:
    path = fields[_pick(fields, PATH_COLUMNS, where)]
    caption = fields[_pick(fields, CAPTION_COLUMNS, where)]
    if not isinstance(path, str) or not path.strip():
        raise DataError(f"{where} names no recording; write its path there or remove the line.")
    # A short row of a CSV, or JSON's null.
    if not isinstance(caption, str | None):
        raise DataError(f"{where} holds a caption that is no text; put it in quotation marks.")
    start_s, end_s = (
        _seconds(fields, name, default, where) for name, default in (("start_s", 0.0), ("end_s", math.inf))
    )
    if not start_s < end_s:
        raise DataError(f"{where} has end_s={end_s} not after start_s={start_s}; give seconds from the file's begin.")
    return Entry(path.strip(), _collapsed(caption or ""), start_s, end_s)


def _seconds(fields: Mapping[str, Any], name: str, default: float, where: str) -> float:
    value = fields.get(name)
    if value is None or value == "":
        return default
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise DataError(f"{where} has {name}={value!r}; give a number of seconds or leave it out.") from error


def _beside(recording: Path) -> list[Entry]:
    text = recording.with_suffix(".txt")
    caption = _collapsed(_decoded(_bytes(text), str(text))) if text.is_file() else ""
    return [Entry(str(recording), caption)] if caption else []


def _collapsed(text: str) -> str:
    return " ".join(text.split())


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes().removeprefix(BYTE_ORDER_MARK)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); check its permissions.") from error


def _decoded(data: bytes, where: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise DataError(f"{where} is not UTF-8 ({error.reason}); save the file as UTF-8.") from error
