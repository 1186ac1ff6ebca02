"""One part of a preparation: some clips, low-passed and encoded, into one shard.

A part is there when its file in the output's `job/done/` is: that is written last, aside and renamed. What a worker
that was killed left of a part is overwritten by whoever takes it up again, byte by byte the same.
"""

from __future__ import annotations

import functools
import io
import itertools
import json
import os
import queue
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import soundfile
import torch
from hydra.utils import get_class, instantiate
from litdata.streaming.writer import BinaryWriter
from safetensors.torch import save
from torch import Tensor
from torch.nn.functional import pad

from saga_sr.audio.degradation import Degradation
from saga_sr.audio.reference_frame import reference_gain
from saga_sr.audio.resample import resample
from saga_sr.codecs.codec import Codec
from saga_sr.codecs.statistics import ChannelSums
from saga_sr.conditioning.condition import Condition, measure_clips
from saga_sr.core.atomic_file import folder_aside
from saga_sr.core.content import sha256_of
from saga_sr.core.errors import AudioError, DataError
from saga_sr.core.hardware import keep_memory, pick_device
from saga_sr.core.random_numbers import seeded
from saga_sr.core.storage import is_address, put_in_place, reaching, workplace, write_whole
from saga_sr.core.utf8_path import as_text
from saga_sr.data.checksum import checksum
from saga_sr.data.folder import SILENCE_RMS
from saga_sr.files.reading import AudioReader
from saga_sr.preparation.plan import JOB, TRAIN, VALIDATION, Clip, Settings, read_clips, writing

# Clips in the codec at once: few, since each comes in several low-passed versions; more are no faster.
TOGETHER = 2
SEEDS_PER_JOB = 2**32
# What is noted on a part: JSON as bytes, and tensors with this before the names of conditions.
NOTE, MEASURED = "note", "measured."


@dataclass
class Tally:
    """What became of a part's clips."""

    seconds: float = 0.0
    silent: int = 0
    unreadable: int = 0
    files: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    shard: dict[str, Any] | None = None
    config: dict[str, Any] | None = None
    sha256: str = ""

    def leave_out(self, path: str, clips: int, error: AudioError) -> None:
        """Count clips of the file at `path` that cannot be read; what is said of a file is the first that was wrong."""
        self.unreadable += clips
        self.skipped.setdefault(path, str(error))


def done_file(output: Path, part: str) -> Path:
    """Where it is noted that a part is there, and what came of it."""
    return output / JOB / "done" / f"{part}.safetensors"


def prepare_part(part: str, output: Path, settings: Settings, device: str) -> None:
    """Make the shard of `part`, unless it is there; what a worker of the engine does.

    Raises:
        DataError: the disk is full, or latents that the stored type cannot hold.
    """
    with writing(output), reaching(output):
        if done_file(output, part).exists():
            return
    torch.set_num_threads(1)
    preparer = _preparer(json.dumps([settings.codec, settings.degradation, settings.conditions]), device)
    with writing(output):
        _prepare(part, output, settings, preparer)


def _prepare(part: str, output: Path, settings: Settings, preparer: Preparer) -> None:
    tally, sums = Tally(), ChannelSums.none(preparer.codec.latent_dim)
    measured: dict[str, list[Tensor]] = {}
    training = part.startswith(TRAIN)
    folder = output / (TRAIN if training else VALIDATION)
    if not is_address(folder):
        folder.mkdir(parents=True, exist_ok=True)
    shard = folder / f"{part}.bin"
    # On the disk of the output, so that it is put in its place by renaming; or on any, to be sent from there.
    with folder_aside(workplace(shard)) as aside:
        # What it has to say goes nowhere.
        writer = BinaryWriter(str(aside), chunk_size=sys.maxsize, msg_queue=queue.Queue())
        count = 0
        for clips, audio, sounding in _batches(read_clips(output, part), settings, preparer.codec.channels, tally):
            if training:
                versions = preparer.versions(audio, [clip.number for clip in clips], settings)
                sums += ChannelSums.of(versions.latents[:, 0])
                for name, found in versions.measured.items():
                    measured.setdefault(name, []).append(found[:, 0])
                items = [_item(clip, versions, i, sounding[i], settings) for i, clip in enumerate(clips)]
            else:
                items = [_held_out(*each, settings) for each in zip(clips, audio, strict=True)]
            for item in items:
                writer.add_item(count, item)
                count += 1
            tally.seconds += sum(sounding) / settings.sample_rate
            tally.files += sorted({clip.path for clip in clips} - set(tally.files))
        if count:
            _publish(writer, aside, shard, tally)
    note = json.dumps({"count": sums.count, "items": count, **vars(tally)}).encode()
    tensors = {"mean": sums.mean, "squares": sums.squares, NOTE: torch.tensor(list(note), dtype=torch.uint8)}
    tensors |= {f"{MEASURED}{name}": torch.cat(found).contiguous() for name, found in measured.items()}
    write_whole(done_file(output, part), save(tensors))


def _publish(writer: BinaryWriter, aside: Path, target: Path, tally: Tally) -> None:
    writer.done()
    (own,) = aside.glob("*.index.json")
    index = json.loads(own.read_text())
    (shard,) = index["chunks"]
    tally.sha256 = sha256_of(aside / shard["filename"])
    put_in_place(aside / shard["filename"], target)
    tally.shard, tally.config = shard | {"filename": target.name}, index["config"]


def _batches(
    clips: list[Clip], settings: Settings, channels: int, tally: Tally
) -> Iterator[tuple[list[Clip], Tensor, list[int]]]:
    """Clips that can be used, their audio [b, channels, num_samples], and how much of each is no padding."""
    chosen: list[tuple[Clip, Tensor, int]] = []
    for clip, audio, sounding in _readable(clips, settings, channels, tally):
        if audio.square().mean().sqrt() <= SILENCE_RMS:
            tally.silent += 1
            continue
        chosen.append((clip, audio, sounding))
        if len(chosen) == TOGETHER:
            yield _stacked(chosen)
            chosen = []
    if chosen:
        yield _stacked(chosen)


def _readable(clips: list[Clip], settings: Settings, channels: int, tally: Tally) -> Iterator[tuple[Clip, Tensor, int]]:
    """Each clip that can be read; a file is opened once, and what is damaged in one place is good in others."""
    for path, group in itertools.groupby(clips, key=lambda clip: clip.path):
        waiting = list(group)
        try:
            with AudioReader(path) as reader:
                while waiting:
                    clip = waiting.pop(0)
                    try:
                        audio, sounding = _read(reader, clip, settings, channels)
                    except AudioError as error:
                        tally.leave_out(path, 1, error)
                        continue
                    yield clip, audio, sounding
        except AudioError as error:
            tally.leave_out(path, len(waiting), error)


def _stacked(chosen: list[tuple[Clip, Tensor, int]]) -> tuple[list[Clip], Tensor, list[int]]:
    clips, audio, sounding = zip(*chosen, strict=True)
    return list(clips), torch.stack(audio), list(sounding)


def _read(reader: AudioReader, clip: Clip, settings: Settings, channels: int) -> tuple[Tensor, int]:
    audio = resample(reader.read(clip.start, clip.frames), clip.sample_rate, settings.sample_rate)
    audio = audio[:, : settings.num_samples]
    sounding = audio.shape[-1]
    if audio.shape[0] != channels:
        audio = audio.mean(dim=0, keepdim=True).expand(channels, -1)
    return pad(audio, (0, settings.num_samples - sounding)), sounding


@dataclass(frozen=True)
class Versions:
    """Clips with their whole band, which is version 0, and low-passed.

    Attributes:
        latents: raw, [b, version, latent_dim, frame].
        cutoff_hz: [b, version], where their content ends; Nyquist for the whole band.
        measured: [b, version, ...], what conditions found in them, by name.
    """

    latents: Tensor
    cutoff_hz: Tensor
    measured: dict[str, Tensor]


@dataclass(frozen=True)
class Preparer:
    """Makes latents of audio, and measures it for `conditions`."""

    codec: Codec
    degradation: Degradation
    conditions: dict[str, type[Condition]]
    device: torch.device

    @torch.no_grad()
    def versions(self, audio: Tensor, numbers: list[int], settings: Settings) -> Versions:
        """What is stored of clips `audio` [b, c, time] with these `numbers`."""
        hr, rate, several = audio.to(self.device), settings.sample_rate, settings.degradations
        seeds = [settings.seed * SEEDS_PER_JOB + number * several + i for number in numbers for i in range(several)]
        degraded = self.degradation(hr.repeat_interleave(several, dim=0), seeded(seeds))
        lr, cutoffs = (tensor.unflatten(0, (len(hr), several)) for tensor in (degraded.lr, degraded.cutoff_hz))
        cutoff_hz = torch.cat([torch.full_like(cutoffs[:, :1], rate / 2), cutoffs], dim=1)
        audios = torch.cat([hr[:, None], lr], dim=1)
        shape = audios.shape[:2]
        # One level for all versions of a clip, as enhancing would show the first that is low-passed.
        shown = reference_gain(audios[:, 1], rate)[:, None] * audios
        raw = self.codec.analyse(shown.flatten(0, 1)).unflatten(0, shape)
        found = measure_clips(self.conditions, audios.flatten(0, 1), rate, cutoff_hz.flatten())
        measured = {name: tensor.unflatten(0, shape).cpu() for name, tensor in found.items()}
        return Versions(raw.cpu(), cutoff_hz.cpu(), measured)


@functools.lru_cache(maxsize=1)
def _preparer(configs: str, device: str) -> Preparer:
    """Once in a process: a codec may take long to read."""
    codec, degradation, conditions = json.loads(configs)
    keep_memory()
    place = pick_device(device)
    if device == "auto" and place.type == "cuda":
        worker = int(os.environ.get("DATA_OPTIMIZER_GLOBAL_RANK", 0))
        place = torch.device("cuda", worker % torch.cuda.device_count())
    classes: dict[str, Any] = {name: get_class(target) for name, target in conditions.items()}
    return Preparer(instantiate(codec).to(place), instantiate(degradation), classes, place)


def _item(clip: Clip, versions: Versions, i: int, sounding: int, settings: Settings) -> dict[str, Any]:
    latents = versions.latents[i]
    dtype = getattr(torch, settings.dtype)
    # What is no number is not below either.
    if not latents.abs().amax() <= torch.finfo(dtype).max:
        raise DataError(
            f"Latents of {clip.name} are beyond what {settings.dtype} holds; prepare anew with dtype=float32 into "
            "another output."
        )
    stored = latents.to(dtype).contiguous()
    cutoff_hz = versions.cutoff_hz[i].clone()
    cutoff_hz[0] = min(clip.edge_hz, float(cutoff_hz[0]))
    return {
        "latents": stored,
        "cutoff_hz": cutoff_hz,
        "measured": {name: found[i].contiguous() for name, found in versions.measured.items()},
        "sounding": sounding,
        "captions": json.dumps(clip.captions),
        "name": as_text(clip.name),
        "checksum": checksum(stored),
    }


def _held_out(clip: Clip, audio: Tensor, settings: Settings) -> dict[str, Any]:
    """Validation listens, so it is given audio: as FLAC of 24 bits."""
    data = io.BytesIO()
    soundfile.write(data, audio.clamp(-1, 1).T.numpy(), settings.sample_rate, format="FLAC", subtype="PCM_24")
    content = data.getvalue()
    return {
        "audio": content,
        "edge_hz": min(clip.edge_hz, settings.sample_rate / 2),
        "captions": json.dumps(clip.captions),
        "name": as_text(clip.name),
        "checksum": checksum(content),
    }
