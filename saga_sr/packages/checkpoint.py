"""Models from the checkpoints of training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from torch import Tensor

from saga_sr.core.errors import PackageError
from saga_sr.core.run_folder import is_run
from saga_sr.model import SuperResolver
from saga_sr.packages.package import build
from saga_sr.weights.tensor_files import load_saved

# Where a checkpoint has them with an average, and where without.
KINDS = {"averaged": "state_dict", "raw": "current_model_state"}


@dataclass(frozen=True)
class Trained:
    """A model as a run had it.

    Attributes:
        model: in evaluation mode.
        config: the resolved configuration of the run.
        run: its folder.
        step: of the optimiser.
        kind: of its weights, `averaged` or `raw`.
    """

    model: SuperResolver
    config: dict[str, Any]
    run: Path
    step: int
    kind: str


def load_checkpoint(path: Path, kind: str | None = None) -> Trained:
    """Read the model in a checkpoint, made as the `config.yaml` of its run says.

    Args:
        path: in the folder `checkpoints` of a run, or beside its `config.yaml`.
        kind: `averaged` or `raw` weights; the average where there is one if left out.

    Raises:
        PackageError: no run around it, no checkpoint of training, no such weights, or weights that do not fit.
        WeightsError: a damaged file.
    """
    beside = path.absolute().parent
    run = beside.parent if is_run(beside.parent) else beside
    if not (run / "config.yaml").is_file():
        raise PackageError(
            f"There is no run around {path}, so nothing says what model it is of; keep it in RUN/checkpoints/, or put "
            "the run's config.yaml beside it."
        )
    kind, weights, step = _read(path, kind)
    config = read_run_config(run)
    model = build(config["model"])
    if not isinstance(model, SuperResolver):
        raise PackageError(f"{run / 'config.yaml'} does not describe a SuperResolver; give a run of saga-sr.")
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise PackageError(
            f"{path} does not fit {run / 'config.yaml'} ({reason}); give the config.yaml of the run that wrote it."
        ) from error
    return Trained(model.eval(), config, run, step, kind)


def _read(path: Path, kind: str | None) -> tuple[str, dict[str, Tensor], int]:
    """The kind of weights that are taken from the checkpoint at `path`, the model's tensors, and the step."""
    saved = load_saved(path)
    if not isinstance(saved, dict) or not isinstance(saved.get("state_dict"), dict) or "global_step" not in saved:
        raise PackageError(
            f"{path} is no checkpoint of a training with saga-sr; give one of RUN/checkpoints/, or see what it holds "
            f"with: saga-sr inspect file={path}"
        )
    has_average = KINDS["raw"] in saved
    if kind == "averaged" and not has_average:
        raise PackageError(f"{path} holds no averaged weights, since the run had ema=none; give weights=raw.")
    kind = kind or ("averaged" if has_average else "raw")
    state = saved[KINDS[kind] if has_average else "state_dict"]
    own = "model."
    weights = {name.removeprefix(own): value for name, value in state.items() if name.startswith(own)}
    return kind, weights, int(saved["global_step"])


def read_run_config(run: Path) -> dict[str, Any]:
    """The resolved configuration of the run in a folder.

    Raises:
        PackageError: it is not valid YAML, or of something else.
    """
    path = run / "config.yaml"
    try:
        config = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise PackageError(f"{path} is not valid YAML ({str(error).splitlines()[0]}); copy it again.") from error
    if not isinstance(config, dict) or not isinstance(config.get("model"), dict):
        raise PackageError(f"{path} does not describe a model; give the config.yaml of a run of saga-sr.")
    return config
