"""A callback that lets one hear and see validation: input, output and reference, as audio and as spectrograms."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger, WandbLogger
from torch import Tensor

from saga_sr.files.writing import write_audio
from saga_sr.pages.spectrograms import spectrogram_figure
from saga_sr.training.module import FlowMatchingModule


class ValidationClips(Callback):
    """Keeps the first `clips` of the newest validation as files, and logs them to the loggers that take them.

    Args:
        folder: for `<clip>_<input, output or reference>.flac`.
        clips: how many of the first batch.
    """

    def __init__(self, folder: str, clips: int = 2) -> None:
        self.folder = Path(folder)
        self.clips = clips

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: dict[str, Tensor] | None,  # type: ignore[override]
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if batch_idx > 0 or not outputs or trainer.sanity_checking or not trainer.is_global_zero:
            return
        module = cast(FlowMatchingModule, pl_module)
        for clip in range(min(self.clips, len(outputs["reference"]))):
            audios = {name: audio[clip].float().cpu() for name, audio in outputs.items()}
            rate = module.model.sample_rate
            for name, audio in audios.items():
                write_audio(self.folder / f"{clip}_{name}.flac", audio, rate)
            shown = [logger for logger in trainer.loggers if isinstance(logger, TensorBoardLogger | WandbLogger)]
            if not shown:
                continue
            cutoff_hz = float(module.cutoffs_hz(batch)[clip])
            figure, step = spectrogram_figure(audios, rate, cutoff_hz), trainer.global_step
            for logger in shown:
                if isinstance(logger, TensorBoardLogger):
                    board = logger.experiment
                    board.add_figure(f"validation/{clip}", figure, step)
                    for name, audio in audios.items():
                        board.add_audio(f"validation/{clip}/{name}", audio.mean(dim=0).clamp(-1, 1), step, rate)
                elif isinstance(logger, WandbLogger):
                    logger.log_image(f"validation/{clip}", [figure], step)
                    for name, audio in audios.items():
                        samples = audio.clamp(-1, 1).T.numpy()
                        logger.log_audio(f"validation/{clip}/{name}", [samples], step, sample_rate=[rate])
