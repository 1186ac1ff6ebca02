"""One training run, from a composed configuration to a model package, begun or gone on with."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import lightning
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from saga_sr.core.config import cause, is_chosen
from saga_sr.core.errors import ConfigError, SagaError
from saga_sr.core.foreign_messages import hear_lightning_once
from saga_sr.core.hardware import has_fast_bfloat16, keep_memory, pick_device
from saga_sr.core.run_folder import FAILED, FINISHED, STOPPED, newest_whole, read_record
from saga_sr.data.audio_data import AudioData
from saga_sr.inference.settings import settings_of
from saga_sr.model import SuperResolver
from saga_sr.packages.card import model_card, weights_facts
from saga_sr.packages.checkpoint import load_checkpoint
from saga_sr.packages.own_code import call_own
from saga_sr.packages.package import load_package, save_package
from saga_sr.training import attempts
from saga_sr.training.checkpoints import WholeCheckpointIO
from saga_sr.training.compilation import compile_network
from saga_sr.training.distillation import Distillation, begin_as, take_teachers_model
from saga_sr.training.finetuning import package_to_begin_from, take_packages_model, weights_to_begin_from
from saga_sr.training.loggers import announce, finish, publish
from saga_sr.training.module import FlowMatchingModule
from saga_sr.training.preemption import Preempted
from saga_sr.training.processes import is_first, processes_to_start, run_in_processes, tell_launcher
from saga_sr.training.record import update_record
from saga_sr.training.rounded_weights import rounding
from saga_sr.training.sharding import Sharded
from saga_sr.training.time_budget import TimeBudget
from saga_sr.weights.initialisation import initialise, settings_of_weights

logger = logging.getLogger(__name__)


def run(config: DictConfig) -> dict[str, float]:
    """Train as `config` says and write the model package to `<paths.output_dir>/model`.

    With `resume=auto` an interrupted run in that folder goes on from its newest whole checkpoint.

    Returns:
        The last validation's figures, by name.

    Raises:
        SagaError: what the configuration asks for cannot be done; nothing slow has started then.
        SystemExit: stopped by SIGTERM or Ctrl-C, after a checkpoint.
    """
    hear_lightning_once()
    output = Path(config.paths.output_dir)
    output.mkdir(parents=True, exist_ok=True)
    finished = read_record(output) if config.resume != "never" else None
    if finished and finished["status"] == FINISHED:
        return passed_over(config, output, finished)
    if config.teacher or config.distillation:
        take_teachers_model(config)
    package = package_to_begin_from(config.init_from, config.backbone._target_) if config.init_from else None
    if package is not None:
        take_packages_model(config, package)
    elif config.init_from and config.init_as == "converted":
        weights = weights_to_begin_from(config.init_from, config.backbone._target_)
        for name, value in settings_of_weights(weights, "convention" in config.backbone).items():
            OmegaConf.update(config, name, value)
    checkpoint = checkpoint_to_resume(config.resume, output)
    earlier = attempts.earlier_attempts(config, output, checkpoint)
    processes = processes_to_start(config.trainer)
    if processes:
        return run_ranks(processes, output)
    attempts.begin(config, output, earlier, checkpoint)
    figures: dict[str, float] | None = None
    try:
        figures = train(config, output, checkpoint)
    except Preempted as stop:
        attempts.end(output, STOPPED, reason=str(stop))
        logger.warning("%s; the same command goes on from there.", stop)
        stop.hand_on()
        raise SystemExit(stop.status) from None
    except (KeyboardInterrupt, SystemExit):
        attempts.end(output, STOPPED, reason="stopped by the user")
        raise
    except Exception as error:
        attempts.end(output, FAILED, reason=cause(error, config))
        tell_launcher(cause(error, config))
        raise
    finally:
        finish(failed=figures is None)
    return figures


def passed_over(config: DictConfig, output: Path, finished: dict[str, Any]) -> dict[str, float]:
    """The figures of the `finished` run in `output`, for a sweep that may pass it over.

    Raises:
        ConfigError: it may not.
    """
    if not config.sweep.resume:
        raise ConfigError(
            f"{output} holds a finished run; say resume=never to train it anew, sweep.resume=true to let a sweep "
            "pass it over, or choose another folder with hydra.run.dir=..."
        )
    logger.info("%s is finished already and passed over.", output)
    return finished["figures"]


def run_ranks(processes: int, output: Path) -> dict[str, float]:
    """Run the ranks of the run in `output`; its figures.

    Raises:
        SagaError: why the run failed.
    """
    try:
        run_in_processes(processes, output)
    except SagaError as error:
        attempts.end(output, FAILED, reason=str(error))
        raise
    return (read_record(output) or {})["figures"]


def checkpoint_to_resume(resume: str, output: Path) -> Path | None:
    """The checkpoint that `resume` (`auto`, `never` or a path) means for the run in `output`.

    Raises:
        ConfigError: a path that is not there.
    """
    if resume == "never":
        return None
    if resume == "auto":
        return newest_whole(output / "checkpoints")
    if not Path(resume).exists():
        raise ConfigError(f"There is no checkpoint {resume}; give resume=auto, resume=never or a checkpoint's path.")
    return Path(resume)


def train(config: DictConfig, output: Path, checkpoint: Path | None) -> dict[str, float]:
    """Build everything, fit, and export; the last validation's figures."""
    lightning.seed_everything(config.seed, workers=True, verbose=False)
    model: SuperResolver = instantiate(config.model)
    call_own(OmegaConf.to_container(config.model, resolve=True))  # or the run's package could not name it
    distillation = Distillation.of(config.distillation) if config.distillation else None
    data: AudioData = instantiate(config.data)
    module = FlowMatchingModule(
        model,
        loss=instantiate(config.loss),
        degradation=instantiate(config.degradation),
        # As Python has them: its lists are saved in checkpoints, and read again as plain data.
        optimizer=instantiate(config.optimizer, _convert_="all"),
        scheduler=instantiate(config.scheduler),
        seed=config.seed,
        enhance=replace(settings_of(config.enhance), batch_size=config.data.batch_size),
        distillation=distillation,
        **config.validation,
    )
    if module.degradation.on_cpu:
        data.degrade(module.degradation, module.first_seed)
    rehearse(module)
    model.backbone.checkpointing = config.trainer.checkpointing
    trainer = make_trainer(config)
    if config.trainer.compile:
        compile_network(model.backbone, trainer.strategy.root_device.type, str(trainer.precision))
    if config.trainer.rounded_weights:
        module.make_optimizer = rounding(
            module.make_optimizer, model.backbone, str(trainer.precision), trainer.world_size
        )
    if trainer.strategy.root_device.type == "cpu":
        keep_memory()
    if checkpoint is None:
        begin_weights(model, config, data, distillation, output)
    if is_first():
        update_record(output, data=data.describe())
        say_what_is_trained(model, trainer, output)
    announce(trainer.loggers, cast(dict[str, Any], OmegaConf.to_container(config, resolve=True)))
    if config.find:
        found = instantiate(config.find).find(trainer, module, data, output)
        attempts.end(output, FINISHED, figures=found)
        return found
    begin = time.perf_counter()
    trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    spent = {"steps": trainer.global_step, "seconds": round(time.perf_counter() - begin, 1)}
    figures = {name: float(value) for name, value in trainer.callback_metrics.items() if "/" in name}
    if trainer.is_global_zero:
        if isinstance(trainer.strategy, Sharded):
            # Each rank has a part of the weights; the last checkpoint has all of them.
            model = load_checkpoint(output / "checkpoints" / f"step-{trainer.global_step}.ckpt").model
        publish(trainer.loggers, export(config, model, data, figures, output, spent))
        attempts.end(output, FINISHED, figures=figures, **cast(dict[str, Any], spent))
    return figures


def begin_weights(
    model: SuperResolver, config: DictConfig, data: AudioData, distillation: Distillation | None, output: Path
) -> None:
    """Give `model` the weights that training begins with, and its codec the statistics of its latents."""
    package = package_to_begin_from(config.init_from, config.backbone._target_) if config.init_from else None
    if distillation is not None or package is not None:
        # Prepared latents are checked to be of its codec; what they are like, it knows.
        data.fit_statistics(model, 0, normalise=False)
        begin_as(model, distillation.teacher if distillation is not None else load_package(cast(Path, package)))
        return
    # Weights from elsewhere know the codec's latents as they are.
    data.fit_statistics(model, config.statistics_clips, normalise=not config.init_from)
    if config.init_from:
        initialise(model, weights_to_begin_from(config.init_from, config.backbone._target_), output)


def say_what_is_trained(model: SuperResolver, trainer: lightning.Trainer, output: Path) -> None:
    """One line: how much, for how long, where."""
    size = sum(p.numel() for p in model.parameters() if p.requires_grad)
    places = f"{trainer.world_size} x {trainer.strategy.root_device.type}"
    logger.info(
        "Training %.2f M parameters for %d steps on %s in %s into %s",
        size / 1e6, trainer.max_steps, places, trainer.precision, output,
    )  # fmt: skip


def rehearse(module: FlowMatchingModule) -> None:
    """Take the loss of a few frames, so that parts that do not fit are found before anything slow starts."""
    codec = module.model.codec
    with torch.no_grad():
        hr = 0.1 * torch.randn(1, codec.channels, 8 * codec.hop_length)
        module.loss_terms({"hr": hr, "caption": [""]}, [module.seed])


def make_trainer(config: DictConfig) -> lightning.Trainer:
    """The configured trainer, with its loggers and callbacks."""
    settings = cast(dict[str, Any], OmegaConf.to_container(config.trainer, resolve=True))
    for ours in ("checkpointing", "compile", "rounded_weights"):
        del settings[ours]
    max_time = settings.pop("max_time")
    if settings["precision"] == "auto":
        accelerator = pick_device("cpu" if settings["accelerator"] == "cpu" else "auto").type
        settings["precision"] = "bf16-mixed" if has_fast_bfloat16(accelerator) else "32-true"
    callbacks = [instantiate(callback) for callback in (config.callbacks or {}).values() if callback]
    if is_chosen(config.ema):
        callbacks.append(instantiate(config.ema))
    if max_time is not None:
        callbacks.append(TimeBudget(max_time, Path(config.paths.output_dir)))
    loggers = [instantiate(entry) for entry in (config.logger or {}).values() if entry]
    return instantiate(settings, callbacks=callbacks, logger=loggers or False, plugins=[WholeCheckpointIO()])


def export(
    config: DictConfig,
    model: SuperResolver,
    data: AudioData,
    figures: dict[str, float],
    output: Path,
    spent: dict[str, float],
) -> Path:
    """Write the model package; its folder."""
    settings = cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))
    kind = "averaged" if is_chosen(config.ema) else "raw"
    weights = weights_facts(output.resolve().name, int(spent["steps"]), kind, "float32")
    card = model_card(settings, data.describe(), figures, weights, spent)
    folder = save_package(model, settings["model"], output / "model", card)
    logger.info("Trained %d steps in %.0f s; the model package is in %s", spent["steps"], spent["seconds"], folder)
    return folder
