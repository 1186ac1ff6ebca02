"""Writes captions of recordings with Qwen2-Audio: stretch by stretch into a JSONL file that survives any stop."""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from torch import Tensor
from torch.nn.functional import pad
from transformers import AutoProcessor, Qwen2AudioForConditionalGeneration

from saga_sr.audio.resample import resample
from saga_sr.core.errors import ConfigError, DataError, WeightsError
from saga_sr.core.hardware import has_fast_bfloat16
from saga_sr.data.captions import Entry, read_json_lines
from saga_sr.data.folder import SILENCE_RMS
from saga_sr.files.reading import AudioInfo, AudioReader

logger = logging.getLogger(__name__)

AUDIO = "<|AUDIO|>"
PROMPT = f"<|audio_bos|>{AUDIO}<|audio_eos|>Generate the caption in English:"
RATE = 16_000
LONGEST_S, SHORTEST_S = 30, 1
MOST_TOKENS = 256


@dataclass(frozen=True)
class Stretch:
    """A part of a recording that gets a caption of its own."""

    info: AudioInfo
    start_s: float
    end_s: float

    def read(self) -> Tensor:
        """What the model hears of it: [time] at 16 kHz, at least 1 s (padded with silence) and at most 30.

        Raises:
            AudioError: the data is damaged.
        """
        rate = self.info.sample_rate
        start = round(self.start_s * rate)
        with AudioReader(self.info.path) as reader:
            audio = reader.read(start, round(self.end_s * rate) - start).mean(dim=0)
        audio = resample(audio, rate, RATE)[: LONGEST_S * RATE]
        return pad(audio, (0, max(SHORTEST_S * RATE - len(audio), 0)))


def cut(info: AudioInfo, stretch_s: float) -> list[Stretch]:
    """The recording in stretches of `stretch_s`; a remainder shorter than 1 s is left out, a whole file never."""
    count = max(math.floor((info.duration_s - SHORTEST_S) / stretch_s) + 1, 1)
    # Rounded for the eye, and finer than any rate's samples.
    return [
        Stretch(info, round(i * float(stretch_s), 6), round(min((i + 1) * stretch_s, info.duration_s), 6))
        for i in range(count)
    ]


class CaptionFile:
    """The JSONL file that captions are added to; paths in it are relative to `folder`, or absolute.

    A last line that was cut off as it was written is removed.

    Raises:
        DataError: the file there is no file of captions, or cannot be read or written.
    """

    def __init__(self, path: Path, folder: Path) -> None:
        # A link stays one where the file is replaced.
        self.path = path.resolve()
        self.folder = folder
        self._there: dict[Path, list[Entry]] = {}
        if self.path.is_file():
            for entry in read_json_lines(self.path):
                self._there.setdefault((folder / entry.path).resolve(), []).append(entry)
            self._end_line()

    def holds(self, stretch: Stretch) -> bool:
        """Whether an entry covers the stretch's middle, be it of a user's own or of another length."""
        middle_s = (stretch.start_s + stretch.end_s) / 2
        return any(entry.covers(middle_s) for entry in self._there.get(stretch.info.path.resolve(), ()))

    def add(self, captions: Sequence[tuple[Stretch, str]]) -> None:
        """Append captions, and return once they are on the disk.

        Raises:
            DataError: the disk is full or the folder read-only.
        """
        lines = (
            {
                "path": self._named(stretch.info.path),
                "start_s": stretch.start_s,
                "end_s": stretch.end_s,
                "caption": caption,
            }
            for stretch, caption in captions
        )
        self._write(self.path, "".join(json.dumps(line) + "\n" for line in lines).encode(), "ab")

    def _named(self, path: Path) -> str:
        """A path as it stands in the file: absolute where the folder does not hold it."""
        inside = path.is_relative_to(self.folder)
        return (path.relative_to(self.folder) if inside else path.absolute()).as_posix()

    def _end_line(self) -> None:
        data = self.path.read_bytes()
        whole, _, last = data.rpartition(b"\n")
        if not last:
            return
        try:
            json.loads(last)
        except ValueError:
            data = whole
        aside = self.path.with_name(f".{self.path.name}.aside")
        self._write(aside, data + b"\n" if data else b"", "wb")
        aside.replace(self.path)

    def _write(self, path: Path, data: bytes, mode: str) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open(mode) as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise DataError(
                f"{self.path} cannot be written ({error.strerror}); free some space or give another output=FILE."
            ) from error


class Captioner:
    """Qwen2-Audio from a folder on this machine.

    Raises:
        WeightsError: the folder is missing, incomplete or damaged, or holds another model.
    """

    def __init__(self, folder: Path, device: torch.device) -> None:
        # What it has to say is said here, in sentences.
        transformers.logging.set_verbosity_error()
        _check_kind(folder)
        dtype = torch.bfloat16 if has_fast_bfloat16(device.type) else torch.float32
        self.processor = _load_processor(folder)
        self.model = _load_weights(folder, dtype).to(device).eval()
        self.device, self.dtype = device, dtype

    @torch.inference_mode()
    def __call__(self, audios: Sequence[Tensor]) -> list[str]:
        """A caption for each of `audios` [time] at 16 kHz, at most 30 s; "" for what is below -80 dBFS.

        Raises:
            ConfigError: the batch does not fit into the device's memory.
        """
        heard = [i for i, audio in enumerate(audios) if audio.square().mean().sqrt() > SILENCE_RMS]
        captions = [""] * len(audios)
        if not heard:
            return captions
        inputs = self.processor(
            text=[PROMPT] * len(heard),
            audio=[audios[i].numpy() for i in heard],
            sampling_rate=RATE,
            padding=True,
            return_tensors="pt",
        ).to(self.device, self.dtype)
        try:
            tokens = self._generate(inputs)
        except torch.OutOfMemoryError as error:
            raise ConfigError(
                f"{len(heard)} stretches at once do not fit into the memory of {self.device}; lower batch_size."
            ) from error
        texts = self.processor.batch_decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        for i, text in zip(heard, texts, strict=True):
            captions[i] = text.strip()
        return captions

    def _generate(self, inputs: Any) -> Tensor:
        """The new tokens [batch, token]."""
        tokens = self.model.generate(
            **inputs,
            max_new_tokens=MOST_TOKENS,
            do_sample=False,
            num_beams=1,
            # A penalty from the model's folder would count the padding, and so depend on the rest of the batch.
            repetition_penalty=1.0,
            pad_token_id=self.processor.tokenizer.pad_token_id,
        )
        return tokens[:, inputs["input_ids"].shape[1] :]


def batches(stretches: Sequence[Stretch], batch_size: int, file: CaptionFile) -> Iterator[list[Stretch]]:
    """The batches that hold something to do.

    They are those of an uninterrupted run: in bfloat16 a caption may hang on the others of its batch by a rounding.
    """
    for begin in range(0, len(stretches), batch_size):
        batch = list(stretches[begin : begin + batch_size])
        if not all(map(file.holds, batch)):
            yield batch


def _check_kind(folder: Path) -> None:
    if not folder.is_dir():
        raise WeightsError(
            f"There is no model folder {folder}; download Qwen/Qwen2-Audio-7B and give its folder as model=DIR."
        )
    try:
        kind = json.loads((folder / "config.json").read_text()).get("model_type")
    except (OSError, ValueError, AttributeError) as error:
        raise WeightsError(
            f"The model folder {folder} has no readable config.json; copy or download Qwen2-Audio whole."
        ) from error
    if kind != "qwen2_audio":
        raise WeightsError(f"{folder} holds a model of the kind {kind!r}; give the folder of a Qwen2-Audio model.")


def _load_processor(folder: Path) -> Any:
    try:
        processor = AutoProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        # Without its files a tokenizer is made that knows nothing.
        if AUDIO not in processor.tokenizer.get_vocab():
            raise ValueError(f"its tokenizer does not know {AUDIO}")
        # Generation goes on at the right end.
        processor.tokenizer.padding_side = "left"
    # Whatever the many readers behind it make of missing and damaged files.
    except Exception as error:
        raise WeightsError(
            f"The processor in {folder} cannot be read ({_reason(error)}); copy or download the model's "
            "preprocessor and tokenizer files too."
        ) from error
    return processor


def _load_weights(folder: Path, dtype: torch.dtype) -> Any:
    # Its bar would stand beside that of the captions.
    transformers.logging.disable_progress_bar()
    # Typed as if it never gave its report.
    weights: Any = Qwen2AudioForConditionalGeneration
    try:
        model, report = weights.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=dtype, output_loading_info=True
        )
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        raise WeightsError(
            f"The weights in {folder} cannot be read ({_reason(error)}), they are missing, truncated or damaged; "
            "copy or download the model's *.safetensors again."
        ) from error
    if report["missing_keys"]:
        raise WeightsError(
            f"The weights in {folder} lack {len(report['missing_keys'])} tensors "
            f"(such as {min(report['missing_keys'])}); copy or download the model's *.safetensors again."
        )
    return model


def _reason(error: Exception) -> str:
    """The first sentence: transformers goes on with advice about its hub."""
    return str(error).strip().partition("\n")[0].partition(". ")[0].rstrip(".") or type(error).__name__
