"""The model card: what a package holds, what it was trained on, and how well it does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from saga_sr.core.version import __version__

# The parts of a run's configuration that say how it was trained.
TRAINING = ("seed", "distillation", "data", "degradation", "loss", "optimizer", "scheduler", "ema", "trainer")
WEIGHTS = {"averaged": "averaged (exponential moving average)", "raw": "raw (as training left them)"}


def model_card(
    config: Mapping[str, Any],
    data: str,
    measured: Mapping[str, float],
    weights: Mapping[str, Any],
    spent: Mapping[str, Any] | None = None,
    license: str = "unknown",
) -> str:
    """The text of a model package's README.md, with what a hub reads of it at its head.

    Args:
        config: the resolved configuration of the run.
        data: a sentence on the training data.
        measured: figures that were logged, by name; of these the validation's are shown.
        weights: which they are, by the words of `weights_facts`.
        spent: what training took.
        license: of the weights, as the hub calls it.
    """
    model = config["model"]
    backbone, codec = (str(model[part]["_target_"]).rsplit(".", 1)[-1] for part in ("backbone", "codec"))
    head = {
        "license": license,
        "library_name": "saga-sr",
        "pipeline_tag": "audio-to-audio",
        "tags": ["audio", "audio-super-resolution", "bandwidth-extension", "flow-matching"],
    }
    figures = {f"`{name}`": f"{value:.4g}" for name, value in sorted(measured.items()) if name.startswith("val/")}
    settings = {part: config[part] for part in TRAINING if config.get(part) is not None} | dict(spent or {})
    return f"""---
{_yaml(head)}
---

# Audio super-resolution model: {backbone} on {codec} latents

Made with saga-sr {__version__}. It restores the high frequencies of low-passed audio by flow matching.

    saga-sr enhance model=THIS_FOLDER input=recording.wav output=restored.wav

## Weights

{_table("", "", {name: str(value) for name, value in weights.items()})}

## Data

{data}

## Validation

{_table("figure", "value", figures) if figures else "These weights were not measured."}

`lsd` and `lsd_hf` are log-spectral distances in log10 power (2048/512 Hann), whole band and above the cutoff;
`energy_hf_db` is the energy above the cutoff, output over reference, in dB (0 is right), `onset_hf_db` how differently
levels rise there from one 3 ms to the next; `si_sdr`, in dB, is lower for any invented band.

## Training

```yaml
{_yaml(settings)}
```

## Model

```yaml
{_yaml(model)}
```
"""


def weights_facts(source: str, step: int, kind: str, dtype: str) -> dict[str, Any]:
    """What a card says of a package's weights.

    Args:
        source: the run, and its checkpoint.
        step: of the optimiser.
        kind: `averaged` or `raw`.
        dtype: that parameters are stored in.
    """
    return {"from": source, "step": step, "weights": WEIGHTS[kind], "stored in": dtype}


def exported_again(card: str, dtype: str) -> str:
    """`card` of a package whose weights were stored anew in `dtype`."""
    return f"{card.rstrip()}\n\n## Exported again\n\nBy saga-sr {__version__}, stored in {dtype}.\n"


def _table(first: str, second: str, rows: Mapping[str, str]) -> str:
    return "\n".join(
        [f"| {first} | {second} |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())]
    )


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False).strip()
