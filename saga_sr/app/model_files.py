"""Models and weights that users look into and convert: which they may name, what they hold, what becomes of them."""

from __future__ import annotations

import os
import shlex
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from saga_sr.app.asking import Asked
from saga_sr.app.folders import allowed, safe_name
from saga_sr.app.model_contents import ModelContents, contents_of
from saga_sr.app.models import Models
from saga_sr.app.work_queue import WorkQueue
from saga_sr.app.workspace import Workspaces
from saga_sr.core.errors import ConfigError, DiskError, SagaError, UsageError
from saga_sr.core.run_folder import is_run
from saga_sr.packages import hub
from saga_sr.packages.export import DTYPES, export_package, find_source
from saga_sr.packages.finding import find_model, model_name
from saga_sr.packages.layout import is_package
from saga_sr.packages.onnx_export import export_onnx

PACKAGE, ONNX = "package", "onnx"


@dataclass(frozen=True)
class Source:
    """What a user has named.

    Attributes:
        path: where it is.
        name: what its user calls it.
        word: what commands call it.
    """

    path: Path
    name: str
    word: str

    @property
    def can_be_exported(self) -> bool:
        """Whether it says what model it is of, so that it can be converted."""
        if self.path.is_dir():
            return is_run(self.path) or is_package(self.path)
        return any((folder / "config.yaml").is_file() for folder in (self.path.parent, self.path.parent.parent))

    @property
    def has_kinds(self) -> bool:
        """Whether it may hold averaged weights and raw ones."""
        return self.can_be_exported and not is_package(self.path) and not is_package(self.path.parent)

    def said(self, error: SagaError) -> SagaError:
        """`error`, with what its user calls it in the place of where it lies."""
        return type(error)(str(error).replace(str(self.path), self.name))


@dataclass(frozen=True)
class Conversion:
    """What a model is converted to, as `saga-sr export` has it.

    Attributes:
        format: `package` or `onnx`.
        weights: `averaged` or `raw` of a checkpoint; None for the average where there is one.
        dtype: that a package's parameters are stored in.
        license: of the weights, for the card of a package.
        steps: of ONNX's sampler; None for the model's own.
    """

    format: str = PACKAGE
    weights: str | None = None
    dtype: str = "float32"
    license: str = "unknown"
    steps: int | None = None

    def __post_init__(self) -> None:
        if self.format not in (PACKAGE, ONNX):
            raise ConfigError(f"format={self.format} is not known; choose package or onnx.")
        if self.dtype not in DTYPES:
            raise ConfigError(f"dtype={self.dtype} is not known; choose one of {', '.join(DTYPES)}.")

    def of(self, source: Source) -> Conversion:
        """This, without what is not asked of such a `source` in such a format."""
        kind = self.weights or None if source.has_kinds else None
        if self.format == ONNX:
            return Conversion(ONNX, kind, steps=self.steps)
        # A package has a card already.
        license = self.license.strip() or "unknown" if source.has_kinds else "unknown"
        return replace(self, weights=kind, license=license, steps=None)

    def words(self) -> list[str]:
        """What `saga-sr export` is told of it."""
        plain = Conversion()
        return [f"{name}={value}" for name, value in vars(self).items() if value != getattr(plain, name)]

    def folder_name(self, source: Source) -> str:
        """What a folder with the result is called."""
        kinds = [ONNX if self.format == ONNX else self.dtype, *([self.weights] if self.weights else [])]
        return safe_name("-".join([Path(source.name).stem or "model", *kinds]))


class ModelFiles:
    """What can be looked into: the models that the app offers, paths in its folders, and weights that were uploaded.

    Args:
        read, write: folders, absolute and without links.
    """

    def __init__(
        self, models: Models, workspaces: Workspaces, queue: WorkQueue, read: Sequence[Path], write: Sequence[Path]
    ) -> None:
        self._models, self._workspaces, self._queue = models, workspaces, queue
        self._read, self._write = [*read, *write], [*write]

    def names(self, asked: Asked) -> list[str]:
        """What can be chosen without naming a path."""
        return [*self._models.names, *self._workspaces.of(asked.session, asked.user).weights]

    def add_upload(self, asked: Asked, path: str, name: str) -> str:
        """Take over a file of weights that was uploaded; what it is called from now on.

        Raises:
            UsageError: it was not uploaded.
        """
        upload = self._workspaces.uploaded(path)
        space = self._workspaces.of(asked.session, asked.user)
        name, folder = safe_name(name), space.folder / "weights"
        if name in self._models.names:
            name = f"uploaded {name}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).unlink(missing_ok=True)
        os.link(upload, folder / name)  # Gradio keeps what two pages upload once
        space.weights[name] = upload
        return name

    def source(self, asked: Asked, named: str) -> Source:
        """What `named` means: a model that is offered, an upload's name, or a path.

        Raises:
            UsageError: it may not be read.
            PackageError: there is no such model.
        """
        space = self._workspaces.of(asked.session, asked.user)
        if named in space.weights:
            return Source(space.folder / "weights" / named, named, named)
        if named in self._models.names:
            word = self._models.source(named)
            return Source(find_model(word), named, model_name(None) if word is None else word)
        if not named:
            raise UsageError("Choose a model, or name a path, first.")
        path = allowed(named, self._read, "read")
        for folder, folders, files in os.walk(path):
            for link in filter(Path.is_symlink, (Path(folder, name) for name in (*folders, *files))):
                allowed(link, self._read, "read")
        return Source(path, path.name, str(path))

    def inspect(self, asked: Asked, named: str) -> ModelContents:
        """What is in what is `named`, see `source`.

        Raises:
            SagaError: it may not be read, is damaged, or of no layout that is read here.
        """
        source = self.source(asked, named)
        try:
            return self._queue.do(asked.session, lambda: contents_of(source.path))
        except SagaError as error:
            raise source.said(error) from error

    def inspect_command(self, asked: Asked, named: str) -> str:
        """The command line that shows it, too."""
        source = self.source(asked, named)
        word = str(source.path) if hub.is_name(source.word) else source.word  # that command fetches nothing
        return shlex.join(["saga-sr", "inspect", f"file={word}"])

    def export(self, asked: Asked, named: str, conversion: Conversion, folder: str) -> tuple[Path, list[str]]:
        """Convert a model into a `folder` of this machine; where it is, and what was left out, a sentence each.

        Raises:
            SagaError: nothing that can be converted so, or a folder that may not be written to.
        """
        if not folder:
            raise UsageError("Name a folder for the result first.")
        source, target = self.source(asked, named), allowed(folder, self._write, "write")
        if target in self._write or target.exists():
            raise UsageError(f"{target} is there already; name a new folder.")
        return self._export(asked, source, conversion.of(source), target)

    def export_archive(self, asked: Asked, named: str, conversion: Conversion) -> tuple[Path, list[str]]:
        """Convert a model into a ZIP archive for download; where it is, and what was left out, a sentence each.

        Raises:
            SagaError: nothing that can be converted so.
        """
        source = self.source(asked, named)
        conversion = conversion.of(source)
        name = conversion.folder_name(source)
        place = self._workspaces.of(asked.session, asked.user).folder / "converted"
        shutil.rmtree(place, ignore_errors=True)
        folder, notes = self._export(asked, source, conversion, place / name)
        archive = place / f"{name}.zip"
        try:
            with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:
                for path in sorted(folder.rglob("*")):
                    file.write(path, path.relative_to(place))
        except OSError as error:
            raise DiskError(f"{archive.name} cannot be written ({error.strerror}); free some space.") from error
        shutil.rmtree(folder)
        return archive, notes

    def export_command(self, asked: Asked, named: str, conversion: Conversion, folder: str) -> str:
        """The command line that converts it so."""
        source = self.source(asked, named)
        conversion = conversion.of(source)
        target = folder or f"{conversion.folder_name(source)}/"
        return shlex.join(["saga-sr", "export", source.word, target, *conversion.words()])

    def _export(
        self, asked: Asked, source: Source, conversion: Conversion, target: Path
    ) -> tuple[Path, list[str]]:  # fmt: skip
        if not source.can_be_exported:
            raise UsageError(
                f"{source.name} does not say what model it is of, so it cannot be converted; name a package, a run, or "
                "a checkpoint in its run."
            )

        def work() -> list[str]:
            found = find_source(source.path, conversion.weights)
            if conversion.format == ONNX:
                return export_onnx(found, target, conversion.weights, conversion.steps)
            export_package(found, target, conversion.weights, conversion.dtype, conversion.license)
            return []

        try:
            return target, self._queue.do(asked.session, work)
        except SagaError as error:
            raise source.said(error) from error
        except OSError as error:
            raise DiskError(
                f"{target.name} cannot be written ({error.strerror or error}); give another folder."
            ) from error
