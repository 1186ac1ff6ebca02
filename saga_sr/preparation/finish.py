"""The end of a preparation: all parts' notes become an index, statistics and a card."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from hydra.utils import get_class, instantiate
from safetensors import safe_open
from safetensors.torch import save

from saga_sr.codecs.prepared import LatentStatistics
from saga_sr.codecs.statistics import ChannelSums
from saga_sr.conditioning.condition import summarise_clips
from saga_sr.core.errors import DataError
from saga_sr.core.utf8_path import utf8_path
from saga_sr.core.version import __version__
from saga_sr.data.shards import STATISTICS, SUMMARY, TRAIN, VALIDATION
from saga_sr.preparation.part import MEASURED, done_file
from saga_sr.preparation.plan import Plan, write_file

CARD = "README.md"


@dataclass
class Side:
    """What one side of the split came to."""

    shards: list[dict[str, Any]]
    config: dict[str, Any] | None
    clips: int
    hours: float
    files: set[str]


def missing_parts(output: Path, plan: Plan) -> list[str]:
    """The parts that are not there yet."""
    return [part for part in plan.parts if not done_file(output, part).exists()]


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
        with utf8_path(done_file(output, part)) as readable, safe_open(readable, "pt") as file:
            note = json.loads(file.metadata()["note"])
            sums += ChannelSums(note["count"], file.get_tensor("mean"), file.get_tensor("squares"))
            for name in file.keys():  # noqa: SIM118  # it is no mapping
                if name.startswith(MEASURED):
                    measured.setdefault(name.removeprefix(MEASURED), []).append(file.get_tensor(name))
        # A file that is damaged in several places is named by the first.
        skipped = note["skipped"] | skipped
        silent += note["silent"]
        unreadable += note["unreadable"]
        side.files.update(note["files"])
        if note["shard"]:
            side.shards.append(note["shard"])
            side.config = note["config"]
            side.clips += note["items"]
            side.hours += note["seconds"] / 3600
    for name, side in sides.items():
        if not side.shards:
            raise DataError(f"None of the clips for {name} has sound that can be read; add recordings.")
        write_file(output / name / "index.json", json.dumps({"chunks": side.shards, "config": side.config}))
    classes: dict[str, Any] = {name: get_class(target) for name, target in plan.settings["conditions"].items()}
    summaries = summarise_clips(classes, {name: torch.cat(found) for name, found in measured.items()})
    statistics = LatentStatistics.of(codec, sums, summaries)
    write_file(output / STATISTICS, save(statistics.tensors()))
    summary = {
        "saga_sr": __version__,
        "files": {name: len(side.files) for name, side in sides.items()} | {"damaged": len(skipped)},
        "clips": {name: side.clips for name, side in sides.items()} | {"silent": silent, "unreadable": unreadable},
        "hours": {name: round(side.hours, 4) for name, side in sides.items()},
        "shards": {name: len(side.shards) for name, side in sides.items()},
        "bytes": {name: sum(shard["chunk_bytes"] for shard in side.shards) for name, side in sides.items()},
        "skipped": skipped,
        "settings": plan.settings,
    }
    write_file(output / CARD, card(summary))
    write_file(output / SUMMARY, json.dumps(summary))
    return summary


def card(summary: dict[str, Any]) -> str:
    """The text that says what the folder holds."""
    rows = "\n".join(
        f"| {side} | {summary['files'][side]} | {summary['hours'][side]:.3g} | {summary['clips'][side]} | "
        f"{summary['shards'][side]} | {summary['bytes'][side] / 1e9:.3g} |"
        for side in (TRAIN, VALIDATION)
    )
    skipped = "\n".join(f"- {reason}" for reason in summary["skipped"].values()) or "None."
    return f"""# Latents for audio super-resolution

Prepared with saga-sr {summary["saga_sr"]}. Training reads them with `data=latents data.path=THIS_FOLDER` and the codec
below.

| side | files | hours | clips | shards | GB |
|---|---|---|---|---|---|
{rows}

`train/` holds the codec's latents of each clip and of its low-passed versions, with their cutoffs, captions
and what conditions measured;
`validation/` holds audio, from other files. Both are litdata shards. `statistics.safetensors` has mean and deviation of
each latent channel over `train/`. Left out: {summary["clips"]["silent"]} silent clips, and
{summary["clips"]["unreadable"]} that cannot be read.

## Settings

```yaml
{yaml.safe_dump(summary["settings"], sort_keys=False).strip()}
```

## Files that could not be used, or not whole ({len(summary["skipped"])})

{skipped}
"""
