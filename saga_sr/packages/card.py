"""The model card: what a package holds, what it was trained on, and how well it does."""

from __future__ import annotations

from typing import Any

import yaml

from saga_sr.core.version import __version__


def model_card(model_config: dict[str, Any], data: str, settings: dict[str, Any], measured: dict[str, float]) -> str:
    """The text of a model package's README.md.

    Args:
        model_config: resolved configuration of the model.
        data: a sentence on the training data.
        settings: how it was trained.
        measured: figures of the last validation, by name.
    """
    backbone, codec = (str(model_config[part]["_target_"]).rsplit(".", 1)[-1] for part in ("backbone", "codec"))
    figures = "\n".join(f"| `{name}` | {value:.4g} |" for name, value in sorted(measured.items()))
    return f"""# Audio super-resolution model: {backbone} on {codec} latents

Made with saga-sr {__version__}. It restores the high frequencies of low-passed audio by flow matching.

    python infer.py model=THIS_FOLDER input=recording.wav output=restored.wav

The weights are the exponential moving average of training, if one was kept.

## Data

{data}

## Validation

| figure | value |
|---|---|
{figures}

`lsd` and `lsd_hf` are log-spectral distances in log10 power (2048/512 Hann), whole band and above the cutoff;
`si_sdr` is in dB.

## Training

```yaml
{yaml.safe_dump(settings, sort_keys=False).strip()}
```

## Model

```yaml
{yaml.safe_dump(model_config, sort_keys=False).strip()}
```
"""
