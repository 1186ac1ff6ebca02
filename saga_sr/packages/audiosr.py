"""AudioSR's checkpoints made into model packages, once, and found again."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path
from typing import Any, cast

import torch

from saga_sr.core.config import CONF_DIR
from saga_sr.core.errors import WeightsError
from saga_sr.core.imports import extras_named
from saga_sr.core.version import __version__
from saga_sr.model import SuperResolver
from saga_sr.packages.elsewhere import user_cache
from saga_sr.packages.finding import signature
from saga_sr.packages.layout import is_package
from saga_sr.packages.package import build, save_package
from saga_sr.weights.audiosr import AudioSRWeights, is_audiosr, read_audiosr
from saga_sr.weights.audiosr_layout import PUBLISHED
from saga_sr.weights.hub_folder import file_of
from saga_sr.weights.tensor_files import load_saved

logger = logging.getLogger(__name__)

CARD = """---
license: {license}
library_name: saga-sr
pipeline_tag: audio-to-audio
tags: [audio, audio-super-resolution, bandwidth-extension]
---

# AudioSR

The weights of {source} (AudioSR, Liu et al., arXiv 2309.07314), converted by saga-sr {version} and stored in {dtype}.

    saga-sr enhance model=THIS_FOLDER input=recording.wav output=restored.wav

Of the {total} tensors in the file {used} are in this package. The others:

{unused}

`saga-sr inspect FILE` says what became of each.
"""


def converted(path: str) -> Path:
    """The package of the checkpoint at `path`, made once, in float16, and kept in the user's cache.

    Args:
        path: a file, or owner/name on a hub.

    Raises:
        WeightsError, PackageError: see `convert`; or there is no such checkpoint, here or on the hub.
        ExtraError: the package that has the autoencoder is not installed.
    """
    checkpoint = file_of(path, PUBLISHED, "path")
    if not checkpoint.is_file():
        raise WeightsError(f"There is no checkpoint of AudioSR at {path}; give path=FILE, or owner/name on a hub.")
    folder = user_cache() / f"audiosr-{signature(checkpoint)[:12]}"
    if not is_package(folder):
        logger.info("%s is converted once, into %s", checkpoint, folder)
        with extras_named():
            convert(checkpoint, folder, torch.float16)
    return folder


def is_checkpoint(path: Path) -> bool:
    """Whether the file at `path` holds AudioSR's tensors.

    Raises:
        WeightsError: a damaged file.
    """
    saved = load_saved(path)
    state = saved.get("state_dict", saved) if isinstance(saved, dict) else {}
    return isinstance(state, dict) and is_audiosr(state)


def convert(checkpoint: Path, folder: Path, dtype: torch.dtype, license: str = "unknown") -> Path:
    """Write the checkpoint of AudioSR at `checkpoint` as a model package; its folder.

    Args:
        dtype: that the networks are stored in; they compute in float32.
        license: of the weights, as the model card states it.

    Raises:
        WeightsError: it cannot be read, or is another model's.
        PackageError: the package would not do what the checkpoint does.
    """
    weights = read_audiosr(checkpoint)
    if not weights.unet.tensors:
        raise WeightsError(f"{checkpoint} has AudioSR's codec and no U-Net; give the whole pytorch_model.bin.")
    config = configuration(weights, checkpoint)
    model = cast(SuperResolver, build(config)).eval()
    weights.unet.fill(model.backbone, checkpoint)
    cast(Any, model.codec).stored = dtype
    for remark in weights.remarks:
        logger.warning("%s", remark)
    return save_package(model, config, folder, card(weights, checkpoint, dtype, license), dtype)


def card(weights: AudioSRWeights, checkpoint: Path, dtype: torch.dtype, license: str) -> str:
    """The package's README.md."""
    reasons = Counter(weights.unused.values())
    return CARD.format(
        license=license,
        source=checkpoint.name,
        version=__version__,
        dtype=str(dtype).removeprefix("torch."),
        total=len(weights.becomes) + len(weights.unused),
        used=len(weights.becomes),
        unused="\n".join(f"- {count}: {why}" for why, count in reasons.most_common()) or "- none",
    )


def configuration(weights: AudioSRWeights, checkpoint: Path) -> dict[str, Any]:
    """The resolved configuration of the model: that of `experiment=audiosr_finetune`, in the checkpoint's sizes."""
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    with initialize_config_dir(CONF_DIR, version_base="1.3"):
        # How recordings are enhanced is not the model's, and its schema a room below.
        composed = compose("train", ["experiment=audiosr_finetune", "~enhance"])
    composed.init_from = str(checkpoint)
    composed.conditioning.acoustic.null_value = weights.null_value
    composed.backbone.update(weights.unet.sizes)
    resolved = OmegaConf.to_container(composed.model, resolve=True)
    return cast(dict[str, Any], resolved)
