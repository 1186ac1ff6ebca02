"""A callback that lets one hear and see validation: input, output and reference, as audio and as spectrograms."""

from __future__ import annotations

from typing import Any, cast

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor

from saga_sr.evaluation.spectrograms import spectrogram_figure
from saga_sr.training.module import FlowMatchingModule


class Auditions(Callback):
    """Logs the first `clips` of each validation to the loggers that take audio and pictures.

    Args:
        clips: how many of the first batch.
    """

    def __init__(self, clips: int = 2) -> None:
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
            figure = spectrogram_figure(audios, rate, module.validation_cutoff_hz)
            for logger in trainer.loggers:
                if isinstance(logger, TensorBoardLogger):
                    board, step = logger.experiment, trainer.global_step
                    board.add_figure(f"validation/{clip}", figure, step)
                    for name, audio in audios.items():
                        board.add_audio(f"validation/{clip}/{name}", audio.mean(dim=0).clamp(-1, 1), step, rate)
