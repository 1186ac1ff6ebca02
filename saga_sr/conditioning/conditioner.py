"""What makes the `Conditioning` of a batch out of its conditions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn

from saga_sr.audio.spectrum import SPECTRA
from saga_sr.conditioning.acoustic import AcousticCondition
from saga_sr.conditioning.numbers import DurationCondition, RolloffCondition, full_band
from saga_sr.conditioning.text import TextCondition
from saga_sr.conditioning.types import Conditioning, ConditionRequest, ConditionValues, Place
from saga_sr.core.errors import ConfigError
from saga_sr.core.random_numbers import Generators, uniform


class Conditioner(nn.Module):
    """Makes the `Conditioning`: z_lr, and what else the configuration names.

    Text, roll-off and duration become tokens to attend to; roll-off and duration are joined to the time embedding too.
    In training each condition is dropped independently for each example, at its own rate; duration never is.

    Args:
        acoustic: z_lr.
        duration, text, rolloff: the others; null leaves one out.
        cross_attention_dim, global_dim: widths of `Conditioning.cross_attention` and `.global_`; null where nothing is
            attended to, or joined to the time.

    Raises:
        ConfigError: widths other than those of the conditions.
    """

    def __init__(
        self,
        acoustic: AcousticCondition,
        duration: DurationCondition | None = None,
        text: TextCondition | None = None,
        rolloff: RolloffCondition | None = None,
        cross_attention_dim: int | None = None,
        global_dim: int | None = None,
    ) -> None:
        super().__init__()
        self.acoustic = acoustic
        self.duration = duration
        self.text = text
        self.rolloff = rolloff
        self.cross_attention_dim = cross_attention_dim
        self.global_dim = global_dim
        self._check()

    def _check(self) -> None:
        # What is attended to is text and roll-off; the length goes with them, or beside the time only.
        attended = {part.width for part in (self.text, self.rolloff) if part is not None}
        beside = sum(2 * part.width for part in (self.duration, self.rolloff) if part is not None)
        for name, given, right in (
            ("cross_attention_dim", self.cross_attention_dim, attended),
            ("global_dim", self.global_dim, {beside} if beside else set()),
        ):
            if ({given} if given else set()) != right:
                made = " and ".join(map(str, right)) or "null"
                raise ConfigError(
                    f"conditioning.{name}={given} but the conditions make it {made}; choose one of the options of "
                    "conditioning, or set it to that."
                )

    @property
    def conditions(self) -> frozenset[str]:
        """The conditions that training drops at times, so that guidance can go without them."""
        parts = {"acoustic": self.acoustic, "text": self.text, "rolloff": self.rolloff}
        return frozenset(name for name, part in parts.items() if part is not None and part.dropout > 0)

    def measure(self, lr: Tensor, hr: Tensor, captions: list[str], sample_rate: int) -> ConditionValues:
        """What training knows of pairs [b, c, time]: captions of `hr`, and the roll-offs of both."""
        rolloff = lr.new_zeros(len(lr), 2)
        if self.rolloff is not None:
            rolloff = torch.stack([self.rolloff.measure(audio, sample_rate) for audio in (lr, hr)], dim=1)
        return ConditionValues(captions, rolloff)

    def recall(self, captions: list[str], rolloff: Tensor) -> ConditionValues:
        """What is stored with prepared latents: captions, and roll-offs [b, spectrum, 2] of both, by `SPECTRA`."""
        measured = SPECTRA.index(self.rolloff.spectrum) if self.rolloff is not None else 0
        return ConditionValues(captions, rolloff[:, measured])

    def request(self, request: ConditionRequest) -> ConditionValues:
        """The values that a user asks for.

        Raises:
            ConfigError: text or a roll-off that the model was trained without, or a roll-off outside 0 to 1.
        """
        lr, captions, rolloff = request.audio, list(request.prompts), request.rolloff
        target = torch.as_tensor(rolloff, dtype=torch.float32, device=lr.device).expand(len(lr))
        if self.text is None and any(caption.strip() for caption in captions):
            raise ConfigError("This model was trained without text and cannot use a prompt; leave the prompt out.")
        if self.rolloff is None:
            if (target != 1).any():
                raise ConfigError("This model was trained without roll-off and cannot be asked for one; leave it out.")
            return ConditionValues(captions, lr.new_zeros(len(lr), 2))
        if not ((target > 0) & (target <= 1)).all():
            raise ConfigError(f"rolloff={rolloff} must lie above 0 and at most at 1, which is full band.")
        own = self.rolloff.measure(lr, request.sample_rate)
        return ConditionValues(captions, torch.stack([own, target * self.rolloff.full_band], dim=1))

    def measuring(self, batches: Iterable[Tensor], sample_rate: int) -> Iterator[Tensor]:
        """`batches` of wide-band audio [b, c, time] as they come; at their end, what full band means is values."""
        if self.rolloff is None:
            yield from batches
            return
        measured: list[Tensor] = []
        for batch in batches:
            measured.append(self.rolloff.measure(batch, sample_rate))
            yield batch
        self.rolloff.full_band.copy_(full_band(torch.cat(measured)))

    def recall_full_band(self, by_spectrum: Tensor) -> None:
        """Take what full band means, [spectrum] by `SPECTRA`, from data that was measured before."""
        if self.rolloff is not None:
            self.rolloff.full_band.copy_(by_spectrum[SPECTRA.index(self.rolloff.spectrum)])

    def forward(self, z_lr: Tensor, values: ConditionValues, generators: Generators = None) -> Conditioning:
        """Condition on `z_lr` [b, c, frame] and `values`; in training mode `generators` draw noise and dropout."""
        if not self.training:
            return replace(self.describe(values), concat=z_lr)
        z_lr = self.acoustic.disturbed(z_lr, generators)
        conditioning = replace(self.describe(values), concat=z_lr)
        for name, condition in (("acoustic", self.acoustic), ("text", self.text), ("rolloff", self.rolloff)):
            if condition is not None:
                rows = uniform([len(z_lr)], generators, z_lr.device) < condition.dropout
                conditioning = conditioning.drop({name}, rows)
        return conditioning

    def describe(self, values: ConditionValues) -> Conditioning:
        """The part of the `Conditioning` that does not depend on z_lr."""
        device = values.rolloff.device
        tokens: list[Tensor] = []
        columns: list[Tensor] = []
        places: dict[str, Place] = {}
        if self.text is not None:
            tokens.append(self.text(values.captions, device))
            places["text"] = Place(tokens=(0, self.text.max_tokens))
        if self.duration is not None:
            duration = self.duration(len(values.captions))
            tokens.append(duration)
            columns.append(duration.flatten(1))
        if self.rolloff is not None:
            rolloff = self.rolloff(values.rolloff)
            first = sum(tensor.shape[1] for tensor in tokens)
            before = sum(tensor.shape[1] for tensor in columns)
            end = first + rolloff.shape[1]
            places["rolloff"] = Place((first, end), (before, before + rolloff[0].numel()))
            if self.rolloff.dropped_with_text:
                places = {"text": Place(tokens=(0, end))}
            tokens.append(rolloff)
            columns.append(rolloff.flatten(1))
        return Conditioning(
            cross_attention=torch.cat(tokens, dim=1) if self.cross_attention_dim else None,
            global_=torch.cat(columns, dim=1) if columns else None,
            concat_null=self.acoustic.null_value,
            places=places,
        )
