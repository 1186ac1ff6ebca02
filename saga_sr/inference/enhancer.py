"""The `Enhancer`: a model and settings, and every way to restore recordings with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from saga_sr.audio.full_scale import FullScale
from saga_sr.audio.low_band import replace_low_band
from saga_sr.audio.reference_frame import reference_gain
from saga_sr.core.errors import AudioError
from saga_sr.core.storage import as_named
from saga_sr.inference.arrays import as_batch, is_fixed_point
from saga_sr.inference.enhanced import Enhanced, EnhancedAudio
from saga_sr.inference.finite import FiniteReader
from saga_sr.inference.jobs import check_place, plan_files
from saga_sr.inference.notebook import with_bar
from saga_sr.inference.notes import warn
from saga_sr.inference.output import Output
from saga_sr.inference.progress import CancelToken, Progress, Watch
from saga_sr.inference.recordings import ArrayReader, Recording
from saga_sr.inference.restored_file import RestoredFile
from saga_sr.inference.session import Session
from saga_sr.inference.settings import EnhanceSettings
from saga_sr.inference.stream import EnhancedStream
from saga_sr.model import SuperResolver


class Enhancer:
    """Restores what is missing above the band of recordings, of any rate, length and number of channels.

    A recording is measured, cut off where its content ends, in each channel and stretch, restored chunk by chunk, and
    cross-faded; its low band is taken from the input. Whatever way it comes in, the result is the same.

    Example:
        >>> enhancer = saga_sr.load("outputs/demo/train/model")
        >>> restored, rate = enhancer(audio, 16_000, steps=8, seed=1)
        >>> enhancer.file("old.mp3", "restored.wav", cutoff_hz=4000)

    Args:
        model: in evaluation mode, on the device that it is to run on.
        settings: those of every call that does not change them.
        name: of the model, for the tags of files.

    Raises:
        ConfigError: settings that the model cannot use.
    """

    def __init__(self, model: SuperResolver, settings: EnhanceSettings | None = None, name: str = "") -> None:
        self.model = model
        self.name = name
        self.settings = settings or EnhanceSettings()
        Session(model, self.settings)

    @property
    def sample_rate(self) -> int:
        """Of every result, in Hz."""
        return self.model.sample_rate

    def __call__(
        self,
        audio: Any,
        sample_rate: int,
        *,
        progress: Progress | None = None,
        cancel: CancelToken | None = None,
        **changes: Any,
    ) -> EnhancedAudio:
        """Restore `audio`.

        Args:
            audio: NumPy array or torch tensor of any float or integer type: [time], [channel, time] or [batch, channel,
                time]. The recordings of a batch are restored as each would be alone.
            sample_rate: of `audio`, in Hz.
            progress: called with seconds done and seconds in all; in a notebook a bar if left out.
            cancel: looked at between chunks.
            changes: settings for this call, see `EnhanceSettings.changed`.

        Returns:
            The same kind of array, of ceil(time * rate / sample_rate) samples, and its rate; in a notebook it plays.

        Raises:
            AudioError: audio that cannot be used, or a rate that is none.
            ConfigError: settings that are not possible.
            Cancelled: `cancel` was set.
        """
        session = Session(self.model, self.settings.changed(**changes))
        batch, back = as_batch(audio)
        readers = [
            FiniteReader(ArrayReader(clip, checked_rate(sample_rate)), session.settings.nan, name)
            for name, clip in zip(clip_names(len(batch)), batch, strict=True)
        ]
        recordings = [Recording(reader, self.sample_rate) for reader in readers]
        results, edges = [], []
        with with_bar(progress, "Enhancing") as progress:
            watch = Watch(progress, cancel, len(batch) * recordings[0].length / self.sample_rate)
            for reader, recording in zip(readers, recordings, strict=True):
                look = session.look(recording)
                restored = session.whole([recording], look, watch)
                full_scale = FullScale(session.settings.clip if is_fixed_point(audio) else None, self.sample_rate)
                results.append(torch.cat([*full_scale.fit([restored[0]])], dim=1))
                edges.append(look.edges)
                watch.before_s += recording.length / self.sample_rate
                warn([*reader.notes, *full_scale.notes(reader.name)])
        return EnhancedAudio(back(torch.stack(results)), self.sample_rate, audio, sample_rate, edges)

    def clips(self, lr: Tensor, cutoff_hz: Tensor, prompts: Sequence[str] | None = None) -> Tensor:
        """Restore clips `lr` [b, c, time] at the model's rate, whose content is known to end at `cutoff_hz` [b].

        Args:
            prompts: what each clip contains; of no use to a model that reads no text.

        Returns:
            [b, c, time] on the CPU.
        """
        session = Session(self.model, self.settings)
        if "text" not in self.model.conditioner.conditions:
            prompts = None
        results = []
        # Recordings of several channels have as many components as they have.
        together = self.settings.batch_size if lr.shape[1] == 1 else 1
        for i in range(0, len(lr), together):
            group, hz = lr[i : i + together].float().cpu(), cutoff_hz[i : i + together]
            said = prompts[i : i + together] if prompts else [self.settings.prompt] * len(group)
            recordings = [Recording(ArrayReader(clip, self.sample_rate), self.sample_rate) for clip in group]
            results.append(session.whole(recordings, session.condition(list(group), hz.tolist(), said), Watch()))
        return torch.cat(results)

    @torch.no_grad()
    def ceiling(self, reference: Tensor, lr: Tensor, cutoff_hz: Tensor) -> Tensor:
        """The best that `clips` can give: `reference` through the codec, with the low band of `lr` as results have it.

        Args:
            reference: the clips [b, c, time] that `lr` [b, c, time] was made of by cutting it off at `cutoff_hz` [b].

        Returns:
            [b, c, time] on the CPU.
        """
        session, codec = Session(self.model, self.settings), self.model.codec
        results = []
        for i in range(0, len(lr), self.settings.batch_size):
            clips, low = reference[i : i + self.settings.batch_size], lr[i : i + self.settings.batch_size].cpu()
            # At the level that codec and network see recordings at.
            gain = reference_gain(low, self.sample_rate)
            latent = codec.encode(codec.apart((gain * clips).to(session.device)))
            kept = codec.together(codec.decode(latent, low.shape[-1]), low.shape[1]).cpu()
            kept = torch.where(gain > 0, kept / gain, 0.0)  # silence has none
            edges_hz = cutoff_hz[i : i + self.settings.batch_size]
            results.append(replace_low_band(kept, low, edges_hz, self.sample_rate, session.low_band))
        return torch.cat(results)

    def file(
        self,
        source: str | Path,
        target: str | Path,
        *,
        progress: Progress | None = None,
        cancel: CancelToken | None = None,
        **changes: Any,
    ) -> Enhanced:
        """Restore the file `source` into `target`, which appears only when it is whole; either may be an address.

        Memory does not grow with the file's length.

        Args:
            progress, cancel, changes: see `__call__`.

        Raises:
            AudioError: the source cannot be read, or the target cannot be written.
            ConfigError: settings that are not possible.
            Cancelled: `cancel` was set.
        """
        check_place(target)
        with (
            with_bar(progress, as_named(source).name) as progress,
            self.open(source, progress=progress, cancel=cancel, **changes) as opened,
        ):
            return self.save(opened, target)

    def save(self, opened: RestoredFile, target: str | Path) -> Enhanced:
        """Restore a file that was opened into `target`, see `file`.

        Raises:
            AudioError: the target cannot be written.
            Cancelled: see `open`.
        """
        with Output(target, opened.settings, opened.source, opened.info, self.sample_rate, self.name) as output:
            look = opened.look
            saved = output.save(opened.blocks())
        notes = [*opened.notes, *saved]
        warn(notes)
        return Enhanced(
            opened.info.path, as_named(target), opened.duration_s, look.edges, look.restores, tuple(notes), look.heard
        )

    def open(
        self,
        source: str | Path,
        *,
        progress: Progress | None = None,
        cancel: CancelToken | None = None,
        **changes: Any,
    ) -> RestoredFile:
        """The file `source` to be restored block by block, by whoever does not only want a file.

        Args:
            progress, cancel, changes: see `__call__`.

        Raises:
            AudioError: the source cannot be read.
            ConfigError: settings that are not possible.
        """
        return RestoredFile(Session(self.model, self.settings.changed(**changes)), source, progress, cancel)

    def folder(self, source: str | Path, target: str | Path, **changes: Any) -> dict[Path, Enhanced]:
        """Restore every audio file below `source` into the same place below `target`; what was done, by file.

        Raises:
            SagaError: a file that cannot be restored; those before it are done.
        """
        settings = self.settings.changed(**changes)
        plan = plan_files([source], f"{target}/", settings.format, pictures=settings.keep_video)
        return {job.source: self.file(job.source, job.target, **changes) for job in plan.jobs}

    def stream(self, blocks: Iterable[Any], sample_rate: int, **changes: Any) -> EnhancedStream:
        """Restore a stream while it comes in.

        Where its content ends is measured on the first chunk, unless it is given.

        Args:
            blocks: arrays [channel, time] or [time] of any lengths, in order.
            sample_rate: of the blocks, in Hz.
            changes: settings, see `EnhanceSettings.changed`; a short `chunk_s` makes a short delay.

        Returns:
            An iterator of blocks of the same kind, with its `delay_s`.
        """
        session = Session(self.model, self.settings.changed(**changes))
        return EnhancedStream(session, blocks, checked_rate(sample_rate))


def checked_rate(sample_rate: int) -> int:
    """`sample_rate`, if it is one.

    Raises:
        AudioError: it is no whole number above 0.
    """
    if isinstance(sample_rate, bool) or int(sample_rate) != sample_rate or sample_rate < 1:
        raise AudioError(f"sample_rate={sample_rate} is not possible; give the audio's samples per second.")
    return int(sample_rate)


def clip_names(count: int) -> list[str]:
    """What the recordings of a batch are called in messages."""
    return ["The audio"] if count == 1 else [f"Recording {i + 1} of the batch" for i in range(count)]
