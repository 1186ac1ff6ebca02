"""Which results are made, and which are there already."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, replace

from saga_sr.core.errors import ConfigError
from saga_sr.core.storage import asked, is_there
from saga_sr.inference.jobs import Job
from saga_sr.inference.record import Content, Made, Recipe, Record
from saga_sr.inference.settings import EnhanceSettings

# Of a result that the record does not know.
UNKNOWN = Made(Content("", 0, 0, ""), Recipe("", ""), 0.0, [], [])
WAYS = ("skip", "newer", "always")


def check_way(way: str) -> None:
    """See whether there is `overwrite=way`.

    Raises:
        ConfigError: there is not.
    """
    if way not in WAYS:
        raise ConfigError(f"overwrite={way!r} is not known; choose one of {', '.join(WAYS)}.")


def digest_of_settings(settings: EnhanceSettings) -> str:
    """What tells `settings` from others: what differs from the defaults, so that new settings change nothing.

    The format is told by the names of results.
    """
    usual = asdict(EnhanceSettings())
    changed = {key: value for key, value in asdict(settings).items() if value != usual[key] and key != "format"}
    return hashlib.sha256(json.dumps(changed, sort_keys=True).encode()).hexdigest()


def already_made(jobs: Iterable[Job], way: str, recipe: Recipe, record: Record) -> dict[Job, Made]:
    """Those of `jobs` whose results are there and need not be made again, and what is known of these.

    Args:
        way: `skip`: it was made by this `recipe` of what the recording holds; `newer`: it is not older than the
            recording; `always`: never.
        record: of the folder of results; a recording that was moved or touched since is looked into.
    """
    jobs = list(jobs)
    found = zip(jobs, asked(lambda job: _found(job, way, recipe, record), jobs), strict=True)
    return {job: made for job, made in found if made is not None}


def _found(job: Job, way: str, recipe: Recipe, record: Record) -> Made | None:
    made = record.made.get(record.key(job.target))
    try:
        if way == "always" or not is_there(job.target):
            return None
        if way == "newer":
            is_newer = Content.unread(job.source).mtime_ns > Content.unread(job.target).mtime_ns
            return None if is_newer else made or UNKNOWN
        if made is None or made.recipe != recipe or not made.source.sha256:  # nothing is known of what came by pipe
            return None
        if made.source.looks_like(job.source):
            return made
        source = Content.of(job.source)
    except OSError:
        return None  # it is said when the recording is opened
    if source.sha256 != made.source.sha256:
        return None
    return replace(made, source=source)
