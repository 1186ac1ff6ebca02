"""Enhance files and folders as a composed configuration says. Imports no torch before there is something to restore."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from omegaconf import DictConfig, ListConfig

from saga_sr.core.atomic_file import remove_left_behind
from saga_sr.core.cluster import check_count, is_on_cluster
from saga_sr.core.errors import ConfigError, DiskError
from saga_sr.core.storage import as_named, asked, workplace
from saga_sr.files.output_formats import output_format
from saga_sr.inference.batch import Batch
from saga_sr.inference.display import Display
from saga_sr.inference.jobs import Job, check_place, is_one_file, plan_files
from saga_sr.inference.overwriting import already_made, check_way, digest_of_settings
from saga_sr.inference.record import Content, Recipe, Record
from saga_sr.inference.settings import settings_of
from saga_sr.packages.bundled import DEFAULT
from saga_sr.packages.finding import digest, find_model, signature

logger = logging.getLogger(__name__)

AUDIOSR = "audiosr"


def run(config: DictConfig) -> None:
    """Enhance `config.input`, a path or address or several, into `config.output` with the model `config.model`, the
    bundled one if None.

    A file that cannot be enhanced is named and passed over, and the others are done. In a folder, what was made before
    is not made again, see `config.overwrite`.

    Raises:
        SagaError: nothing can be done at all, or (at the end) some files could not be enhanced.
    """
    check_way(config.overwrite)
    config.model = model_of(config.model, config.path)
    on_cluster = is_on_cluster(config)
    check_count("jobs", config.jobs)
    settings = settings_of(config.enhance)
    for place in (config.output, config.manifest):
        if place is not None:
            check_place(place)
    record = None if is_one_file(config.output) else Record.read(config.output)
    words = list(config.input) if isinstance(config.input, ListConfig) else [config.input]
    results = [Path(result) for result in record.begun] if record else []
    plan = plan_files(words, config.output, settings.format, config.name, results, settings.keep_video)
    for how in {output_format(job.target, settings.keep_video) for job in plan.jobs}:
        how.check(settings.rate, settings.bits, settings.bitrate)
    for remark in plan.remarks:
        logger.info("%s", remark)
    recipe = Recipe(digest_of_settings(settings), model_digest(config, record))
    made = already_made(plan.jobs, config.overwrite, recipe, record) if record else {}
    due = [job for job in plan.jobs if job not in made]
    if config.dry_run:
        from saga_sr.inference.dry_run import show

        show(config, due, len(made), plan.failures)
        return
    with Display(sizes(due)) as display:
        batch = Batch(plan.jobs, plan.failures, record, recipe, display)
        try:
            for job, known in made.items():
                batch.keep(job, known)
            do(config, due, batch, on_cluster)
        except DiskError as error:
            batch.end_early(str(error))
        finally:
            if config.manifest is not None:
                described = {
                    "model": str(config.model or DEFAULT),
                    "recipe": asdict(recipe),
                    "settings": asdict(settings),
                }
                batch.write_manifest(as_named(config.manifest), described)
    batch.conclude()


def model_of(model: str | None, path: str | None) -> str | None:
    """What `model` stands for: AudioSR's checkpoint at `path` is made a package of first.

    Raises:
        ConfigError: one of the two alone.
        SagaError: the checkpoint cannot be used.
    """
    if path is None and model == AUDIOSR and not Path(model).exists():
        raise ConfigError(f"model={AUDIOSR} needs path=FILE, AudioSR's pytorch_model.bin, or path=OWNER/NAME on a hub.")
    if path is None:
        return model
    if model != AUDIOSR:
        raise ConfigError(f"path={path} is for model={AUDIOSR}; leave it out, or give model={path}.")
    from saga_sr.packages.audiosr import converted

    return str(converted(path))


def do(config: DictConfig, jobs: Sequence[Job], batch: Batch, on_cluster: bool) -> None:
    """Do `jobs`, on a cluster, in `config.jobs` processes or in this one.

    Raises:
        SagaError: the model cannot be used, or nothing more can be written.
    """
    if not jobs:
        return
    # Copies of recordings from elsewhere are in the temporary folder.
    folders = {workplace(job.target) for job in jobs} | {Path(tempfile.gettempdir())}
    for folder in folders:
        remove_left_behind(folder)
    if batch.record is not None:
        batch.record.note_models()
    try:
        if on_cluster:
            from saga_sr.inference.on_cluster import do_on_cluster

            do_on_cluster(config, jobs, batch)
        elif (count := min(config.jobs or 1, len(jobs))) > 1:
            from saga_sr.inference.parallel import do_in_processes

            do_in_processes(config, jobs, batch, count)
        else:
            from saga_sr.inference.restoring import do_jobs, load_enhancer

            do_jobs(load_enhancer(config), jobs, batch)
    finally:
        # Of workers that were killed, and of what a signal has met between two lines.
        for folder in folders:
            remove_left_behind(folder)


def model_digest(config: DictConfig, record: Record | None) -> str:
    """What tells the model `config.model` from others, where that is of use; read again only if its files changed.

    Raises:
        PackageError: there is no such model.
    """
    model = find_model(config.model)
    if record is not None:
        return record.digest_of_model(signature(model), lambda: digest(model))
    return digest(model) if config.manifest is not None else ""


def sizes(jobs: Sequence[Job]) -> dict[Job, int]:
    """The bytes of each recording; none of one that has gone."""
    return dict(zip(jobs, asked(lambda job: _size(job.source), jobs), strict=True))


def _size(path: Path) -> int:
    try:
        return Content.unread(path).size
    except OSError:
        return 0
