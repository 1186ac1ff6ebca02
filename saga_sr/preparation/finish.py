"""The end of a preparation: all parts' notes become an index, statistics and a card."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from hydra.utils import get_class, instantiate
from safetensors.torch import load, save

from saga_sr.codecs.prepared import LatentStatistics
from saga_sr.codecs.statistics import ChannelSums
from saga_sr.conditioning.condition import summarise_clips
from saga_sr.core.errors import DataError
from saga_sr.core.storage import names_in, reaching, write_whole
from saga_sr.core.version import __version__
from saga_sr.data.shards import LAYOUT, STATISTICS, SUMMARY, TRAIN, VALIDATION
from saga_sr.preparation.card import CARD, card
from saga_sr.preparation.part import MEASURED, NOTE, done_file
from saga_sr.preparation.plan import Plan, writing


@dataclass
class Side:
    """What one side of the split came to."""

    shards: list[dict[str, Any]]
    config: dict[str, Any] | None
    clips: int
    hours: float
    files: set[str]
    sums: str = ""

    @property
    def sha256(self) -> str:
        """That of the list of the shards' own, as `sha256sum *.bin | sha256sum` gives it."""
        return hashlib.sha256(self.sums.encode()).hexdigest()


def missing_parts(output: Path, plan: Plan) -> list[str]:
    """The parts that are not there yet.

    Raises:
        DataError: the output cannot be looked into.
    """
    with writing(output):
        there = names_in(done_file(output, plan.parts[0]).parent) if plan.parts else set()
    return [part for part in plan.parts if done_file(output, part).name not in there]


def finish(output: Path, plan: Plan) -> dict[str, Any]:
    """Write index, statistics, summary and card of a preparation whose parts are all there; the summary.

    The same parts give the same bytes, whoever made them: they are merged in the plan's order.

    Raises:
        DataError: one side has no sound.
    """
    sides = {side: Side([], None, 0, 0.0, set()) for side in (TRAIN, VALIDATION)}
    skipped, silent, unreadable = dict(plan.skipped), 0, 0
    codec = instantiate(plan.settings["codec"])
    sums = ChannelSums.none(codec.latent_dim)
    measured: dict[str, list[torch.Tensor]] = {}
    for part in plan.parts:
        side = sides[part.partition("-")[0]]
        with reaching(output):
            found = load(done_file(output, part).read_bytes())
        note = json.loads(found[NOTE].numpy().tobytes())
        sums += ChannelSums(note["count"], found["mean"], found["squares"])
        for name, tensor in found.items():
            if name.startswith(MEASURED):
                measured.setdefault(name.removeprefix(MEASURED), []).append(tensor)
        # A file that is damaged in several places is named by the first.
        skipped = note["skipped"] | skipped
        silent += note["silent"]
        unreadable += note["unreadable"]
        side.files.update(note["files"])
        if note["shard"]:
            side.shards.append(note["shard"])
            side.sums += f"{note['sha256']}  {note['shard']['filename']}\n"
            side.config = note["config"]
            side.clips += note["items"]
            side.hours += note["seconds"] / 3600
    for name, side in sides.items():
        if not side.shards:
            raise DataError(f"None of the clips for {name} has sound that can be read; add recordings.")
        write_whole(output / name / "index.json", json.dumps({"chunks": side.shards, "config": side.config}))
    classes: dict[str, Any] = {name: get_class(target) for name, target in plan.settings["conditions"].items()}
    summaries = summarise_clips(classes, {name: torch.cat(found) for name, found in measured.items()})
    statistics = LatentStatistics.of(codec, sums, summaries)
    write_whole(output / STATISTICS, save(statistics.tensors()))
    summary = {
        "saga_sr": __version__,
        "layout": LAYOUT,
        "files": {name: len(side.files) for name, side in sides.items()} | {"damaged": len(skipped)},
        "clips": {name: side.clips for name, side in sides.items()} | {"silent": silent, "unreadable": unreadable},
        "hours": {name: round(side.hours, 4) for name, side in sides.items()},
        "shards": {name: len(side.shards) for name, side in sides.items()},
        "bytes": {name: sum(shard["chunk_bytes"] for shard in side.shards) for name, side in sides.items()},
        "sha256": {name: side.sha256 for name, side in sides.items()},
        "recordings": plan.recordings,
        "rates_hz": plan.rates_hz,
        "licences": plan.licences,
        "skipped": skipped,
        "settings": plan.settings,
    }
    write_whole(output / CARD, card(summary))
    write_whole(output / SUMMARY, json.dumps(summary))
    return summary
