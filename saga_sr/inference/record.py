"""The record that a folder of results keeps of what was made there, of what, and how."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from saga_sr.core.content import sha256_of
from saga_sr.core.errors import DiskError

NAME = ".saga-sr.jsonl"


@dataclass(frozen=True)
class Content:
    """A file as it was read.

    Attributes:
        path: absolute.
        mtime_ns: when it was changed last.
    """

    path: str
    size: int
    mtime_ns: int
    sha256: str

    @staticmethod
    def of(path: Path) -> Content:
        """What `path` holds now.

        Raises:
            OSError: it cannot be read.
        """
        status = path.stat()  # before it is read: what is changed meanwhile is another content
        return Content(str(path.absolute()), status.st_size, status.st_mtime_ns, sha256_of(path))

    def looks_like(self, path: Path) -> bool:
        """Whether the file at `path` is this one by name, size and time."""
        status = path.stat()
        is_there = self.size == status.st_size and self.mtime_ns == status.st_mtime_ns
        return is_there and self.path == str(path.absolute())


@dataclass(frozen=True)
class Recipe:
    """How results are made: digests of the settings and of the model."""

    settings: str
    model: str


@dataclass(frozen=True)
class Made:
    """A result that was made.

    Attributes:
        edges: of each channel, stretch by stretch: `begin_s`, `end_s`, and the `hz` above which was restored.
        warnings: what should be known of it.
        version: of saga-sr.
    """

    source: Content
    recipe: Recipe
    duration_s: float
    edges: list[list[dict[str, float]]]
    warnings: list[str]
    version: str = ""


@dataclass
class Record:
    """What was made in `folder`; a file of JSON lines there, to which lines are only ever added, each at once.

    So several processes may keep it, and what a killed one has left half of a line is passed over. A result is noted
    when it is begun, too: it is a result, not a recording, whatever happens before it is finished.

    Attributes:
        made: by the path of the result, relative to the folder.
        begun: results that were begun, finished or not.
        models: digests of models by their signatures.
    """

    folder: Path
    made: dict[str, Made] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)
    models: dict[str, str] = field(default_factory=dict)
    _new_models: list[str] = field(default_factory=list)

    @property
    def path(self) -> Path:
        """Its file."""
        return self.folder / NAME

    @staticmethod
    def read(folder: Path) -> Record:
        """The record of `folder`, empty where there is none."""
        record = Record(folder)
        try:
            lines = record.path.read_bytes().split(b"\n")
        except OSError:
            return record
        for line in lines:
            try:
                record._take(json.loads(line))
            except (ValueError, TypeError, KeyError, AttributeError):
                continue
        return record

    def _take(self, line: dict[str, Any]) -> None:
        if "model" in line:
            self.models[line["model"]] = line["digest"]
            return
        output = line["output"]
        self.begun.add(output)
        if "source" in line:
            known = {key: line[key] for key in ("duration_s", "edges", "warnings", "version")}
            self.made[output] = Made(Content(**line["source"]), Recipe(**line["recipe"]), **known)
        else:
            self.made.pop(output, None)

    def key(self, target: Path) -> str:
        """What a result is called in the record."""
        return target.relative_to(self.folder).as_posix()

    def begin(self, target: Path) -> None:
        """Note that a result is being made; what was there before counts no more.

        Raises:
            DiskError: it cannot be written.
        """
        self._add({"output": self.key(target)})

    def finish(self, target: Path, made: Made) -> None:
        """Note that a result was made.

        Raises:
            DiskError: it cannot be written.
        """
        self._add({"output": self.key(target), **asdict(made)})

    def digest_of_model(self, signature: str, compute: Callable[[], str]) -> str:
        """The digest of the model that has `signature`, computed where the record does not know it."""
        if signature not in self.models:
            self.models[signature] = compute()
            self._new_models.append(signature)
        return self.models[signature]

    def note_models(self) -> None:
        """Remember the digests that were computed.

        Raises:
            DiskError: they cannot be written.
        """
        for signature in self._new_models:
            self._add({"model": signature, "digest": self.models[signature]})
        self._new_models.clear()

    def _add(self, line: dict[str, Any]) -> None:
        self._take(line)
        content = json.dumps(line).encode() + b"\n"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                size = os.fstat(handle).st_size
                if size and os.pread(handle, 1, size - 1) != b"\n":
                    content = b"\n" + content  # after half a line
                if os.write(handle, content) < len(content):
                    raise DiskError(f"{self.path} cannot be written (no space left); free some, and run it again.")
            finally:
                os.close(handle)
        except OSError as error:
            raise DiskError(
                f"{self.path} cannot be written ({error.strerror}); free some space or choose another folder."
            ) from error
