"""The record that a folder of results keeps of what was made there, of what, and how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from saga_sr.core.content import sha256_of
from saga_sr.core.errors import DiskError
from saga_sr.core.journal import Journal, journal_at
from saga_sr.core.storage import as_named, mend, reaching, reason_of

NAME = ".saga-sr.jsonl"


@dataclass(frozen=True)
class Content:
    """A file as it was read.

    Attributes:
        path: absolute, or an address.
        mtime_ns: when it was changed last.
        sha256: empty of what was not read, or came through a pipe.
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
        with reaching(path):
            return replace(Content.unread(path), sha256=sha256_of(path))

    @staticmethod
    def unread(path: Path) -> Content:
        """What `path` is before it is read: what is changed meanwhile is another content.

        Raises:
            OSError: that cannot be told.
        """
        with reaching(path):
            status = path.stat()
            return Content(str(path.absolute()), status.st_size, status.st_mtime_ns, "")

    def looks_like(self, path: Path) -> bool:
        """Whether the file at `path` is this one by name, size and time."""
        return replace(self, sha256="") == Content.unread(path)


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
    """What was made in `folder`, here or in object storage; a journal there, so several processes may keep it.

    A result is noted when it is begun, too: it is a result, not a recording, whatever happens before it is finished.

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
    journal: Journal = field(init=False)

    def __post_init__(self) -> None:
        self.journal = journal_at(self.folder / NAME)

    @property
    def path(self) -> Path:
        """Where it is kept."""
        return self.journal.path

    @staticmethod
    def read(folder: str | Path) -> Record:
        """The record of `folder`, empty where there is none.

        Raises:
            DiskError: it cannot be read.
        """
        record = Record(as_named(folder))
        try:
            lines = record.journal.read()
        except OSError as error:
            raise DiskError(
                f"{record.path} cannot be read ({reason_of(error)}); see that you may read there, or choose another "
                "output."
            ) from error
        for line in lines:
            try:
                record._take(line)
            except (TypeError, KeyError, AttributeError):
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
        try:
            self.journal.add(line)
        except OSError as error:
            raise DiskError(f"{self.path} cannot be written ({reason_of(error)}); {mend(self.path)}.") from error
