"""What a preparation has to do, decided once: the files, cut into clips, gathered into parts of one shard each.

The plan is in the output's `job/`, on a disk or in object storage: one file of clips for each part, so that a worker
reads no more than its own however large the corpus is, and `plan.json`, which is written last. Everything random about
a clip follows from its number. So the shards depend neither on the number of workers nor on what was interrupted.
"""

from __future__ import annotations

import errno
import itertools
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from saga_sr.core.errors import ConfigError, DataError
from saga_sr.core.storage import reaching, write_whole
from saga_sr.data.captions import Captions
from saga_sr.data.recordings import Recordings
from saga_sr.data.shards import TRAIN, VALIDATION
from saga_sr.data.split import split_recordings
from saga_sr.files.reading import AudioInfo

JOB, PLAN = "job", "plan.json"
# A rest shorter than this share of a clip is left out; a longer one makes a clip that begins earlier.
SHORTEST_REST = 0.1
NAMED = 3


@dataclass(frozen=True)
class Settings:
    """What decides a preparation's result.

    Attributes:
        codec, degradation: their configurations, with `_target_`.
        conditions: the classes that measure clips, by the names of conditions.
        sample_rate: Hz.
        hop_length: samples of a frame of the codec.
        num_samples: length of a clip.
        degradations: low-passed versions of each clip.
        dtype: what latents are stored as, `float16` or `float32`.
        validation_fraction: share of the files held out.
        shard_mb: size of a shard.
        seed: of the degradations.
    """

    codec: dict[str, Any]
    degradation: dict[str, Any]
    conditions: dict[str, str]
    sample_rate: int
    hop_length: int
    num_samples: int
    degradations: int
    dtype: str
    validation_fraction: float
    shard_mb: float
    seed: int

    def __post_init__(self) -> None:
        if self.dtype not in ("float16", "float32"):
            raise ConfigError(f"dtype={self.dtype!r} is not possible; choose float16 or float32.")
        for name in ("num_samples", "degradations", "shard_mb"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name}={getattr(self, name)} must be above 0.")


@dataclass(frozen=True)
class Clip:
    """A stretch of a recording: `frames` of its samples from `start` on, at its own rate.

    Each of `captions` holds from a second of the clip on; the recording's content ends at `edge_hz`, which is infinite
    where that is not told.
    """

    number: int
    path: str
    sample_rate: int
    start: int
    frames: int
    captions: list[tuple[float, str]]
    edge_hz: float = math.inf

    @property
    def name(self) -> str:
        """The file's name and the clip's place in it."""
        return f"{Path(self.path).stem}@{self.start / self.sample_rate:.2f}s"


@dataclass(frozen=True)
class Plan:
    """What `plan.json` holds.

    Attributes:
        settings: as a mapping.
        files: path, bytes, and time of the last change in ns, of every file that was found.
        skipped: why, by path, of those that cannot be read.
        parts: names, those of training first.
        seconds: of audio in all parts.
        held_out: as `files`, of those that were named for validation.
        recordings: as the user named them.
        rates_hz, licences: numbers of files of each.
    """

    settings: dict[str, Any]
    files: list[list[Any]]
    skipped: dict[str, str]
    parts: list[str]
    seconds: float
    held_out: list[list[Any]] = field(default_factory=list)
    recordings: str = ""
    rates_hz: dict[str, int] = field(default_factory=dict)
    licences: dict[str, int] = field(default_factory=dict)


def make_plan(
    recordings: Recordings,
    held_out: Recordings | None,
    captions: str | None,
    settings: Settings,
    output: Path,
    clips_per_part: int,
) -> Plan:
    """Decide what is to be done with `recordings`, and write it below `output`.

    Args:
        held_out: what is for validation; a share of `recordings` where left out.
        captions: a file of the user's that wins over others.

    Raises:
        SagaError: too little audio, captions that cannot be read, or recordings that have weights.
    """
    for named in (recordings, held_out):
        if named is not None and named.weighted:
            raise ConfigError(
                f"{named} has weights, but each clip is prepared once; name several folders in a list, and leave the "
                "column weight out of tables."
            )
    split = split_recordings(recordings, held_out, settings.validation_fraction)
    every = recordings if held_out is None else Recordings((*recordings.sources, *held_out.sources))
    found = every.captions(split.readable, captions)
    parts: list[str] = []
    number, seconds = 0, 0.0
    for side, infos in ((TRAIN, split.train), (VALIDATION, split.validation)):
        clips = cut(infos, settings, found, number, every.edges_hz(infos))
        for i in itertools.count():
            together = list(itertools.islice(clips, clips_per_part))
            if not together:
                break
            parts.append(f"{side}-{i:06d}")
            number = together[-1].number + 1
            seconds += sum(clip.frames / clip.sample_rate for clip in together)
            write_whole(part_file(output, parts[-1]), json.dumps([asdict(clip) for clip in together]))
    plan = Plan(
        settings=asdict(settings),
        files=states(recordings),
        held_out=states(held_out),
        skipped={str(file): reason for file, reason in split.unreadable.items()},
        parts=parts,
        seconds=seconds,
        recordings=str(every),
        rates_hz=counted(info.sample_rate for info in (*split.train, *split.validation)),
        licences=counted(filter(None, every.licences([*split.train, *split.validation]))),
    )
    write_whole(output / JOB / PLAN, json.dumps(asdict(plan)))
    return plan


def counted(values: Iterable[Any]) -> dict[str, int]:
    """How often each value comes, in their order."""
    return {str(value): count for value, count in sorted(Counter(values).items())}


def cut(
    infos: Sequence[AudioInfo], settings: Settings, captions: Captions, first: int, edges_hz: np.ndarray | None = None
) -> Iterator[Clip]:
    """The clips of the files `infos`, numbered from `first` on; the last of a file ends where the file ends.

    Args:
        edges_hz: where the content of each file ends, if that is told.
    """
    number = first
    for file, info in enumerate(infos):
        edge_hz = math.inf if edges_hz is None else float(edges_hz[file])
        length = -(-settings.num_samples * info.sample_rate // settings.sample_rate)
        for i in range(max(1, math.ceil(info.frames / length - SHORTEST_REST))):
            start = max(0, min(i * length, info.frames - length))
            frames = min(length, info.frames)
            said = captions.within(info.path, start / info.sample_rate, (start + frames) / info.sample_rate)
            yield Clip(number, str(info.path.absolute()), info.sample_rate, start, frames, said, edge_hz)
            number += 1


def read_plan(output: Path) -> Plan | None:
    """The plan below `output`, or None where there is none yet."""
    try:
        with reaching(output):
            return Plan(**json.loads((output / JOB / PLAN).read_text()))
    except (FileNotFoundError, NotADirectoryError):
        return None


def read_clips(output: Path, part: str) -> list[Clip]:
    """The clips of a part."""
    with reaching(output):
        return [Clip(**clip) for clip in json.loads(part_file(output, part).read_text())]


def check_same(
    plan: Plan, settings: Settings, recordings: Recordings, held_out: Recordings | None, output: Path
) -> None:
    """See whether a preparation that has begun is the one that is asked for now.

    Raises:
        ConfigError: it has other settings.
        DataError: the files have changed since.
    """
    wanted = asdict(settings)
    # As JSON knows them.
    other = [name for name in wanted if json.loads(json.dumps(wanted[name])) != plan.settings.get(name)]
    if other:
        raise ConfigError(
            f"{output} was begun with another {', '.join(other)}; give the same again, or another output."
        )
    before, now = (
        {(side, *file) for side, files in enumerate(both) for file in files}
        for both in ((plan.files, plan.held_out), (states(recordings), states(held_out)))
    )
    changed = sorted({path for _, path, *_ in before ^ now})
    if changed:
        names = ", ".join(changed[:NAMED]) + (", ..." if len(changed) > NAMED else "")
        raise DataError(
            f"{len(changed)} files have come, gone or changed since {output} was begun ({names}); restore them to "
            "finish it, or prepare them anew with another output."
        )


def states(recordings: Recordings | None) -> list[list[Any]]:
    """What shows that files have changed: path, size and time of each; nothing for a file that is gone."""
    return [_state(path) for path in recordings.files] if recordings is not None else []


def _state(path: Path) -> list[Any]:
    try:
        found = path.stat()
    except OSError:
        return [str(path), None, None]
    return [str(path), found.st_size, found.st_mtime_ns]


def part_file(output: Path, part: str) -> Path:
    """Where the clips of a part are listed."""
    return output / JOB / "parts" / f"{part}.json"


@contextmanager
def writing(output: Path) -> Iterator[None]:
    """Answer a disk that does not take what is written below `output`.

    Raises:
        DataError: it is full, read-only, or gone.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DataError(
                f"The disk of {output} is full; what was finished is kept: free some space and run the same command "
                "again."
            ) from error
        reason = error.strerror or error
        raise DataError(f"{output} cannot be written ({reason}); choose another output.") from error
