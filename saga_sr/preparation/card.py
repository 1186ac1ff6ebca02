"""The card of prepared latents: what they hold, how they were made, and what shows that they are whole."""

from __future__ import annotations

from typing import Any

import yaml

from saga_sr.core.utf8_path import as_text
from saga_sr.data.shards import TRAIN, VALIDATION

CARD = "README.md"
# Settings that a command gives by themselves.
SIMPLE = ("num_samples", "degradations", "validation_fraction", "dtype", "shard_mb", "seed")


def card(summary: dict[str, Any]) -> str:
    """The text that says what the folder holds, with a header of YAML, as hubs of data sets read it."""
    settings, told = summary["settings"], sum(summary["licences"].values())
    header = {
        "tags": ["audio", "audio-super-resolution", "latents", "saga-sr"],
        "saga_sr": summary["saga_sr"],
        "hours": summary["hours"],
        "sample_rate": settings["sample_rate"],
        "recordings_by_rate": summary["rates_hz"],
        "recordings_by_licence": summary["licences"] | {"not told": sum(summary["rates_hz"].values()) - told},
        "codec": settings["codec"]["_target_"],
        "seed": settings["seed"],
        "sha256": summary["sha256"],
    }
    values = " ".join(f"{name}={settings[name]}" for name in SIMPLE)
    rows = "\n".join(
        f"| {side} | {summary['files'][side]} | {summary['hours'][side]:.3g} | {summary['clips'][side]} | "
        f"{summary['shards'][side]} | {summary['bytes'][side] / 1e9:.3g} |"
        for side in (TRAIN, VALIDATION)
    )
    skipped = "\n".join(f"- {reason}" for reason in summary["skipped"].values()) or "None."
    return as_text(f"""---
{yaml.safe_dump(header, sort_keys=False).strip()}
---

# Latents for audio super-resolution

Prepared with saga-sr {summary["saga_sr"]}. Training reads them with `data=latents data.path=THIS_FOLDER` and the codec
below.

| side | files | hours | clips | shards | GB |
|---|---|---|---|---|---|
{rows}

`train/` holds the codec's latents of each clip and of its low-passed versions, with their cutoffs, captions
and what conditions measured;
`validation/` holds audio, from other files. Both are litdata shards. `statistics.safetensors` has mean and deviation of
each latent channel over `train/`.
`sha256` of a side is what `sha256sum *.bin | sha256sum` gives there.
Left out: {summary["clips"]["silent"]} silent clips, and
{summary["clips"]["unreadable"]} that cannot be read.

## Commands

```
saga-sr prepare 'data.path={summary["recordings"]}' output=OUTPUT {values}
saga-sr train data=latents data.path=OUTPUT
```

with the codec, the degradation and the conditions of these settings:

```yaml
{yaml.safe_dump(settings, sort_keys=False).strip()}
```

## Files that could not be used, or not whole ({len(summary["skipped"])})

{skipped}
""")
