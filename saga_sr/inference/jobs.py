"""Which file is written where."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from saga_sr.core.errors import AudioError, ConfigError
from saga_sr.core.storage import as_named, check_writable, is_address, is_folder, mend, plain, reason_of
from saga_sr.files.output_formats import formats, output_format
from saga_sr.inference.inputs import find_inputs, is_pattern, no_recordings
from saga_sr.inference.naming import TEMPLATE, result_places

# What makes a name that of a file; "Live at 7.30 pm" has none.
SUFFIX = re.compile(r"\.\w{1,5}$", re.ASCII)


@dataclass(frozen=True)
class Job:
    """A file to restore, and where to."""

    source: Path
    target: Path


@dataclass(frozen=True)
class Plan:
    """What a command is to do.

    Attributes:
        folder: where results go; None where a file is named for the only one.
        failures: what cannot be done from the start, a sentence each.
        remarks: what else should be known of the plan, a sentence each.
    """

    jobs: tuple[Job, ...]
    folder: Path | None
    failures: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def is_one_file(output: str | Path) -> bool:
    """Whether `output` is a file to write, and not a folder: one that is there, ends in a slash, or has no suffix.

    Raises:
        AudioError: a file in a format that cannot be written.
        ConfigError: an address that cannot be looked into.
    """
    if str(output).endswith(("/", os.sep)) or not SUFFIX.search(str(output)):
        return False
    try:
        if is_folder(as_named(output)):
            return False
    except OSError as error:
        raise ConfigError(
            f"output={output} cannot be looked into ({reason_of(error)}); check its address, and that you may read "
            "there."
        ) from error
    output_format(output)
    return True


def check_place(place: str | Path) -> None:
    """See that results can be sent to `place`, as far as that can be told before there are any.

    Raises:
        AudioError: an address whose bucket there is not, or that is not in reach.
    """
    path = as_named(place)
    try:
        check_writable(path)
    except OSError as error:
        raise AudioError(f"{path} cannot be written ({reason_of(error)}); {mend(path)}.") from error


def plan_files(
    words: Sequence[str | Path],
    output: str | Path,
    suffix: str | None,
    template: str = TEMPLATE,
    results: Iterable[Path] = (),
    pictures: bool = False,
) -> Plan:
    """Which file is written where. Nothing is written, and no file opened.

    Args:
        words: files, folders, patterns and lists, see `find_inputs`; they and `output` may be addresses.
        output: a file (for one file), or a folder, see `is_one_file`, in which folders are kept as they were found.
        suffix: format of files in a folder, such as `flac`; where left out, that, or of films their own.
        template: of their names, see `result_places`.
        results: what earlier runs have made in the folder `output`, relative to it, which is nothing to restore.
        pictures: whether films are to keep their pictures.

    Raises:
        AudioError: there is nothing to restore, or a file is to be written in a format that cannot be.
        ConfigError: an unknown format, several files to be written to one, or an output that is an input.
    """
    if suffix not in (None, *formats(pictures)):
        why = "holds no picture, which keep_video= asks for" if suffix in formats(False) else "is not known"
        raise ConfigError(f"format={suffix!r} {why}; choose one of {', '.join(formats(pictures))}.")
    suffix = suffix if suffix or pictures else "flac"
    words = [plain(str(word)) for word in words]
    one_file, output = is_one_file(output), as_named(output)
    if one_file:
        output_format(output, pictures)
        return _plan_of_one(words, output)
    inputs = find_inputs(words, without=output)
    where = _Places()
    made = {where(output / result) for result in results}
    new = [(path, place) for path, place in inputs.found if where(path) not in made]
    places = result_places([place for _, place in new], suffix, template)
    jobs = tuple(Job(path, output / place) for (path, _), place in zip(new, places, strict=True))
    _check_apart(jobs)
    remarks = [inputs.remark] if inputs.remark else []
    if len(new) < len(inputs.found):
        remarks.append(
            f"{len(inputs.found) - len(new)} of the files are results of earlier runs, and left as they are."
        )
    if not jobs:
        said = inputs.failures or remarks
        raise AudioError(said[0] if len(said) == 1 and inputs.failures else " ".join([no_recordings(words), *said]))
    return Plan(jobs, output, tuple(inputs.failures), tuple(remarks))


def _plan_of_one(words: Sequence[str | Path], output: Path) -> Plan:
    inputs = find_inputs(words)
    word = str(words[0])
    if len(words) > 1 or len(inputs.found) > 1 or (not inputs.failures and is_folder(as_named(word))):
        named = f"{len(words)} inputs are given" if len(words) > 1 else f"input={word} is a folder"
        if len(words) == 1 and is_pattern(word):
            named = f"input={word} is {len(inputs.found)} files"
        raise ConfigError(f"{named} but output={output} is one file; give a folder as output.")
    if inputs.failures:
        raise AudioError(inputs.failures[0])
    jobs = (Job(inputs.found[0][0], output),)
    _check_apart(jobs)
    return Plan(jobs, None)


def _check_apart(jobs: Sequence[Job]) -> None:
    """See that no recording is overwritten by a result.

    Raises:
        ConfigError: one would be.
    """
    place = _Places()
    sources = {place(path): job.source for job in jobs for path in _names(job.source)}
    for job in jobs:
        source = sources.get(place(job.target))
        if source is not None:
            own = "its own result" if source == job.source else f"the result of {job.source}"
            raise ConfigError(
                f"{source} would be overwritten by {own}; give another output, or name='{{stem}} restored.{{ext}}'."
            )


def _names(path: Path) -> list[Path]:
    """`path`, and what it leads to if it is a link."""
    return [path, Path(os.path.realpath(path))] if not is_address(path) and path.is_symlink() else [path]


class _Places:
    """Where entries of folders are, whatever links lead there; folders are looked at once."""

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}

    def __call__(self, path: Path) -> str:
        if is_address(path):
            return str(path)
        folder, name = os.path.split(path)
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder)
        return f"{self._folders[folder]}/{name}"
