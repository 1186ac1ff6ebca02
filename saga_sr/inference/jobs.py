"""Which file is written where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from saga_sr.audio.files import SUFFIXES, find_audio
from saga_sr.core.errors import ConfigError


@dataclass(frozen=True)
class Job:
    """A file to restore, and where to."""

    source: Path
    target: Path


def is_one_file(output: Path) -> bool:
    """Whether `output` is a file to write, by its suffix, and not a folder."""
    return output.suffix.lower() in SUFFIXES and not output.is_dir()


def plan_files(sources: Sequence[Path], output: Path, suffix: str) -> list[Job]:
    """Which file is written where.

    Args:
        sources: files, and folders that are searched recursively.
        output: a file with an audio suffix (for one file), or a folder.
        suffix: format of files in a folder, such as `flac`.

    Raises:
        AudioError: nothing to read.
        ConfigError: an unknown format, several files to be written to one, or an output that is its own input.
    """
    if f".{suffix}" not in SUFFIXES:
        raise ConfigError(f"format={suffix!r} is not known; choose one of {', '.join(s[1:] for s in SUFFIXES)}.")
    if is_one_file(output):
        if len(sources) > 1 or sources[0].is_dir():
            named = f"input={sources[0]} is a folder" if len(sources) == 1 else f"{len(sources)} inputs are given"
            raise ConfigError(f"{named} but output={output} is one file; give a folder as output.")
        jobs = [Job(sources[0], output)]
    else:
        found = find_recordings(sources, without=output)
        places = result_places([place for _, place in found], suffix)
        jobs = [Job(path, output / place) for (path, _), place in zip(found, places, strict=True)]
    for job in jobs:
        if job.source.resolve() == job.target.resolve():
            raise ConfigError(f"{job.source} would be overwritten by its own result; give another output.")
    return jobs


def find_recordings(sources: Sequence[Path], without: Path | None = None) -> list[tuple[Path, Path]]:
    """Each file that `sources` name, or that lies in a folder of them, and where it lies below what was named.

    Args:
        without: a folder that is passed over, where results go.

    Raises:
        AudioError: a folder that holds none.
    """
    found: list[tuple[Path, Path]] = []
    for source in sources:
        if source.is_dir():
            inside = find_audio(source)
            if without is not None:
                inside = [path for path in inside if without.resolve() not in path.resolve().parents]
            found += [(path, path.relative_to(source)) for path in inside]
        else:
            found.append((source, Path(source.name)))
    return found


def result_places(places: Sequence[Path], suffix: str) -> list[Path]:
    """Where the result of each recording goes in a folder of results, by the place of the recording.

    Raises:
        ConfigError: two would go to the same place.
    """
    stems = [place.with_suffix("") for place in places]
    # song.wav beside song.mp3 become song.wav.flac and song.mp3.flac.
    names = [place.name if stems.count(stem) > 1 else place.stem for place, stem in zip(places, stems, strict=True)]
    results = [place.parent / f"{name}.{suffix}" for place, name in zip(places, names, strict=True)]
    for result in results:
        if results.count(result) > 1:
            raise ConfigError(f"Several inputs would become {result}; take them one by one, into folders of their own.")
    return results
