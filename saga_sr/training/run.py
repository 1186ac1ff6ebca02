"""One training run, from a composed configuration to a model package."""

from __future__ import annotations

import json
import logging
import os
import time
from pathlib import Path
from typing import Any, cast

import lightning
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from tqdm import tqdm

from saga_sr.data.datamodule import AudioData
from saga_sr.hardware import has_fast_bfloat16, pick_device
from saga_sr.model import SuperResolver
from saga_sr.package import save_package
from saga_sr.training.card import model_card
from saga_sr.training.module import FlowMatchingModule

logger = logging.getLogger(__name__)


def run(config: DictConfig) -> dict[str, float]:
    """Train as `config` says and write the model package to `<paths.output_dir>/model`.

    Returns:
        The last validation's figures, by name.

    Raises:
        SagaError: what the configuration asks for cannot be done; nothing slow has started then.
    """
    output = Path(config.paths.output_dir)
    output.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(config, output / "config.yaml", resolve=True)
    lightning.seed_everything(config.seed, workers=True, verbose=False)
    model: SuperResolver = instantiate(config.model)
    data: AudioData = instantiate(config.data)
    module = FlowMatchingModule(
        model,
        loss=instantiate(config.loss),
        degradation=instantiate(config.degradation),
        optimizer=instantiate(config.optimizer),
        scheduler=instantiate(config.scheduler),
        seed=config.seed,
        **config.validation,
    )
    rehearse(module)
    trainer = make_trainer(config)
    fit_latent_statistics(model, data, config.statistics_batches)
    size = sum(p.numel() for p in model.parameters() if p.requires_grad)
    logger.info("Training %.2f M parameters for %d steps into %s", size / 1e6, trainer.max_steps, output)
    begin = time.perf_counter()
    trainer.fit(module, datamodule=data)
    seconds = time.perf_counter() - begin
    if trainer.interrupted:
        raise KeyboardInterrupt
    figures = {name: float(value) for name, value in trainer.callback_metrics.items() if "/" in name}
    if trainer.is_global_zero:
        export(config, model, data, figures, output, {"steps": trainer.global_step, "seconds": round(seconds, 1)})
    return figures


def rehearse(module: FlowMatchingModule) -> None:
    """Take the loss of a few frames, so that parts that do not fit are found before anything slow starts."""
    codec = module.model.codec
    with torch.no_grad():
        module.loss_terms(0.1 * torch.randn(1, codec.channels, 8 * codec.hop_length), module.seed)


def make_trainer(config: DictConfig) -> lightning.Trainer:
    """The configured trainer, with its loggers and callbacks."""
    settings = cast(dict[str, Any], OmegaConf.to_container(config.trainer, resolve=True))
    if settings["precision"] == "auto":
        accelerator = pick_device("cpu" if settings["accelerator"] == "cpu" else "auto").type
        settings["precision"] = "bf16-mixed" if has_fast_bfloat16(accelerator) else "32-true"
    callbacks = [instantiate(callback) for callback in (config.callbacks or {}).values() if callback]
    if config.ema:
        callbacks.append(instantiate(config.ema))
    loggers = [instantiate(entry) for entry in (config.logger or {}).values() if entry]
    return instantiate(settings, callbacks=callbacks, logger=loggers or False)


def fit_latent_statistics(model: SuperResolver, data: AudioData, batches: int) -> None:
    """Normalise the codec's latents on the first `batches` training batches."""
    if batches:
        shown = tqdm(data.statistics_batches(batches), total=batches, desc="Latent statistics", delay=2, leave=False)
        model.codec.fit_statistics(shown)


def export(
    config: DictConfig,
    model: SuperResolver,
    data: AudioData,
    figures: dict[str, float],
    output: Path,
    spent: dict[str, float],
) -> None:
    """Write the model package and `train.json`, the figures and what they took."""
    model_config = cast(dict[str, Any], OmegaConf.to_container(config.model, resolve=True))
    parts = ("seed", "data", "degradation", "loss", "optimizer", "scheduler", "ema", "trainer")
    settings: dict[str, Any] = {
        part: OmegaConf.to_container(config[part], resolve=True) if OmegaConf.is_config(config[part]) else config[part]
        for part in parts
    }
    card = model_card(model_config, data.describe(), {**settings, **spent}, figures)
    folder = save_package(model, model_config, output / "model", card)
    summary = {"figures": figures, **spent, "threads": torch.get_num_threads(), "cpus": os.cpu_count()}
    (output / "train.json").write_text(json.dumps(summary, indent=1))
    logger.info("The model package is in %s", folder)
