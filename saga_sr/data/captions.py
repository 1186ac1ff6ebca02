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
from saga_sr.core.storage import below, reaching, to_path

logger = logging.getLogger(__name__)

CAPTIONS_FILE = "captions.jsonl"
PATH_COLUMNS = ("path", "file", "audio")
CAPTION_COLUMNS = ("caption", "text", "transcript")
LICENCE_COLUMNS = ("licence", "license")
TABLES = {".csv": ",", ".tsv": "\t"}
JSON_LINES = (".jsonl", ".ndjson", ".json")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Entry:
    """The caption of a stretch of a recording; `path` is relative to the folder or absolute.

    `weight`, `edge_hz` and `licence` are the recording's, in a table that is a manifest: how often crops are drawn from
    it, for its length; where its content ends, which is infinite where that is not told; and what it may be used for.
    """

    path: str
    caption: str
    start_s: float = 0.0
    end_s: float = math.inf
    weight: float = 1.0
    edge_hz: float = math.inf
    licence: str = ""

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

    def within(self, path: Path, start_s: float, end_s: float) -> list[tuple[float, str]]:
        """The captions of a stretch of the recording, in order, and from which second of the stretch on each holds."""
        edges = {time for entry in self._entries.get(path, ()) for time in (entry.start_s, entry.end_s)}
        said: list[tuple[float, str]] = []
        for time_s in sorted({start_s, *(time for time in edges if start_s < time < end_s)}):
            caption = self.at(path, time_s)
            if not said or said[-1][1] != caption:
                said.append((time_s - start_s, caption))
        return said


def said_at(said: Sequence[Sequence[Any]], time_s: float) -> str:
    """What `Captions.within` tells of a moment, in seconds from the begin of its stretch."""
    return str([caption for begin_s, caption in said if begin_s <= time_s][-1])


def read_captions(
    folders: Sequence[Path],
    files: Iterable[Path],
    named: str | Path | None = None,
    manifests: Mapping[Path, Sequence[Entry]] | None = None,
) -> Captions:
    """The captions of `files`.

    The file `named` wins over `manifests`, these over the `captions.jsonl` of `folders`, and those over a `.txt` beside
    the recording. Within one of them a shorter stretch wins over a longer one, and a later line over an earlier one.
    Empty captions are none.

    Args:
        folders: to which the paths in tables are relative; those in a `captions.jsonl`, to its own.
        files: the recordings, by the paths under which they are looked up.
        named: a CSV, TSV or JSONL file of the user's.
        manifests: entries of tables, by the table's path.

    Raises:
        DataError: `named` is missing, or some of the captions cannot be read.
    """
    own = None if named is None else to_path(named)
    if own is not None and not own.is_file():
        raise DataError(f"There is no file {named} with captions; check data.captions.")
    recordings = list(files)
    # The same recording may be named by way of a link.
    found: dict[Path, list[Entry]] = {path.resolve(): [] for path in recordings}
    tables = {own: read_table(own)} if own is not None else {}
    tables = tables | {path: list(entries) for path, entries in (manifests or {}).items() if path not in tables}
    for table, entries in tables.items():
        _add(table, entries, folders, found)
    for folder in dict.fromkeys(folders):
        table = folder / CAPTIONS_FILE
        if table.is_file() and table not in tables:
            _add(table, read_table(table), [folder], found)
    return Captions({path: [*found[path.resolve()], *_beside(path)] for path in recordings})


def _add(table: Path, entries: Sequence[Entry], folders: Sequence[Path], found: dict[Path, list[Entry]]) -> None:
    """Append the captions of `table` to those of the recordings in `found`."""
    placed, lost = [], []
    for entry in entries:
        places = [below(folder, entry.path).resolve() for folder in folders]
        place = next((place for place in places if place in found), None)
        if place is None:
            lost.append(entry.path)
        else:
            placed.append((place, entry))
    if lost:
        logger.warning(
            "%d of %d entries of %s name no readable recording in %s (such as %s) and are passed over.",
            *(len(lost), len(entries), table, ", ".join(map(str, dict.fromkeys(folders))), lost[0]),
        )
    for place, entry in sorted(reversed(placed), key=lambda pair: pair[1].end_s - pair[1].start_s):
        if entry.caption:
            found[place].append(entry)


def read_table(path: Path, captioned: bool = True) -> list[Entry]:
    """The entries of a CSV, TSV or JSONL file, in its order.

    Args:
        captioned: whether there has to be a caption column; a manifest needs none.

    Raises:
        DataError: another format, bytes that are not UTF-8, or a line that is no entry.
    """
    suffix = path.suffix.lower()
    if suffix in TABLES:
        return _read_csv(path, TABLES[suffix], captioned)
    if suffix in JSON_LINES:
        return read_json_lines(path, captioned)
    raise DataError(f"{path} is no table of captions by its name; give a {', '.join([*TABLES, *JSON_LINES])} file.")


def read_json_lines(path: Path, captioned: bool = True) -> list[Entry]:
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
        entries.append(_entry(fields, where, captioned))
    return entries


def _read_csv(path: Path, delimiter: str, captioned: bool) -> list[Entry]:
    reader = csv.DictReader(io.StringIO(_decoded(_bytes(path), str(path)), newline=""), delimiter=delimiter)
    try:
        reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
        for names in (PATH_COLUMNS, CAPTION_COLUMNS) if captioned else (PATH_COLUMNS,):
            _pick(reader.fieldnames, names, f"{path}")
        return [_entry(row, f"{path}, line {reader.line_num}", captioned) for row in reader]
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


def _entry(fields: Mapping[str, Any], where: str, captioned: bool) -> Entry:
    path = fields[_pick(fields, PATH_COLUMNS, where)]
    if captioned or any(name in fields for name in CAPTION_COLUMNS):
        caption = fields[_pick(fields, CAPTION_COLUMNS, where)]
    else:
        caption = ""
    if not isinstance(path, str) or not path.strip():
        raise DataError(f"{where} names no recording; write its path there or remove the line.")
    # A short row of a CSV, or JSON's null.
    if not isinstance(caption, str | None):
        raise DataError(f"{where} holds a caption that is no text; put it in quotation marks.")
    start_s, end_s = (
        _number(fields, name, default, where, "of seconds") for name, default in (("start_s", 0.0), ("end_s", math.inf))
    )
    if not start_s < end_s:
        raise DataError(f"{where} has end_s={end_s} not after start_s={start_s}; give seconds from the file's begin.")
    weight = _number(fields, "weight", 1.0, where, "above 0")
    if not 0 < weight < math.inf:
        raise DataError(f"{where} has weight={weight:g}; give a number above 0 or leave it out.")
    edge_hz = _number(fields, "edge_hz", math.inf, where, "above 0")
    if not edge_hz > 0:
        raise DataError(f"{where} has edge_hz={edge_hz:g}; give where the recording's content ends or leave it out.")
    licence = next((str(fields[name]) for name in LICENCE_COLUMNS if fields.get(name)), "")
    return Entry(path.strip(), _collapsed(caption or ""), start_s, end_s, weight, edge_hz, _collapsed(licence))


def _number(fields: Mapping[str, Any], name: str, default: float, where: str, kind: str) -> float:
    value = fields.get(name)
    if value is None or value == "":
        return default
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise DataError(f"{where} has {name}={value!r}; give a number {kind} or leave it out.") from error


def _beside(recording: Path) -> list[Entry]:
    text = recording.with_suffix(".txt")
    caption = _collapsed(_decoded(_bytes(text), str(text))) if text.is_file() else ""
    return [Entry(str(recording), caption)] if caption else []


def _collapsed(text: str) -> str:
    return " ".join(text.split())


def _bytes(path: Path) -> bytes:
    try:
        with reaching(path):
            return path.read_bytes().removeprefix(BYTE_ORDER_MARK)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}); check its permissions.") from error


def _decoded(data: bytes, where: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise DataError(f"{where} is not UTF-8 ({error.reason}); save the file as UTF-8.") from error
