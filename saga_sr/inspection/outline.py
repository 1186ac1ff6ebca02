"""A configured model without the values of its weights, so that one of any size is there in a second."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig
from omegaconf.errors import InterpolationToMissingValueError, MissingMandatoryValue
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from saga_sr.backbones.backbone import Backbone
from saga_sr.codecs.codec import Codec
from saga_sr.conditioning import Conditioning, ConditionRequest
from saga_sr.conditioning.conditioner import Conditioner
from saga_sr.core.hardware import allow_fake_tensors
from saga_sr.flow.guidance import Branch, Weight, branches
from saga_sr.inspection.placeholders import UnreadCodec
from saga_sr.model import SuperResolver


@dataclass(frozen=True)
class Outline:
    """A model whose backbone has shapes, and no values.

    Codec and conditioner are real, as far as they are on this machine. The backbone's tensors say that they are on a
    GPU, whether there is one or not, and take no memory.

    Attributes:
        model: of parts that fit each other.
        loss: what it is trained by.
        described: what one clip is conditioned on, beside z_lr.
        fake: the mode in which the backbone runs.
        settings: what the backbone is made of.
        left_out: what is not on this machine and not counted, a sentence each.
    """

    model: SuperResolver
    loss: nn.Module
    described: Conditioning
    fake: FakeTensorMode
    settings: DictConfig
    left_out: list[str]

    def backbone_on(self, device: str) -> Backbone:
        """The backbone on another `device`."""
        with self.fake, torch.device(device):
            return instantiate(self.settings)

    @property
    def branches(self) -> dict[Branch, Weight]:
        """The weight of each branch of the guidance that sampling computes."""
        return branches(self.model.guidance, self.model.conditioner.droppable)

    def frames(self, length: int) -> int:
        """Latent frames of so many samples of audio."""
        codec = self.model.codec
        with FakeTensorMode(allow_non_fake_inputs=True):
            return codec.analyse(torch.empty(1, codec.channels, length)).shape[-1]

    def conditioning(self, z_lr: Tensor) -> Conditioning:
        """What the backbone is conditioned on: `z_lr` [b, c, frame], and shapes of the rest; for the `fake` mode."""
        parts: dict[str, Any] = {
            # Embeddings are trained, so gradients reach them.
            name: torch.empty(
                len(z_lr), *getattr(self.described, name).shape[1:], device=z_lr.device, requires_grad=True
            )
            for name in self.described.parts
        }
        return replace(self.described, concat=z_lr, **parts)


def outline(config: DictConfig) -> Outline:
    """The model and the loss that a training's `config` describes. A codec or text encoder without a path is left out.

    Raises:
        SagaError: parts that do not fit each other, or a path at which nothing can be read.
    """
    codec, left_out = _codec(config), []
    if isinstance(codec, UnreadCodec):
        left_out.append("the codec's network, since no codec.path is given")
    # What is conditioned on by a network of others' has the shapes that were published.
    unread = [name for name, settings in config.conditioning.items() if not _has_path(settings)]
    left_out += [f"the network that reads {name}, since no path to it is given" for name in unread]
    conditioner: Conditioner = instantiate(config.conditioning, **{name: {"path": None} for name in unread})
    allow_fake_tensors()
    fake = FakeTensorMode()
    with fake, torch.device("cuda"):
        backbone = instantiate(config.backbone)
    model = SuperResolver(
        codec,
        backbone,
        conditioner,
        instantiate(config.objective),
        instantiate(config.sampler),
        instantiate(config.guidance),
        config.low_band,
    )
    with torch.no_grad():
        silence = torch.zeros(1, codec.channels, codec.sample_rate)
        request = ConditionRequest(silence, codec.sample_rate, torch.tensor([codec.sample_rate / 4]), [""])
        described = conditioner.describe(conditioner.request(request))
    return Outline(model, instantiate(config.loss), described, fake, config.backbone, left_out)


def _codec(config: DictConfig) -> Codec:
    network: Any = get_class(config.codec._target_)
    # Without a path, a network of others' has the sizes that were published; a codec without such sizes needs none.
    if _has_path(config.codec) or not hasattr(network, "PUBLISHED_HOP"):
        return instantiate(config.codec)
    channels = config.codec.get("channels", network.PUBLISHED_CHANNELS)
    return UnreadCodec(config.codec.sample_rate, channels, config.codec.latent_dim, network.PUBLISHED_HOP)


def _has_path(settings: Any) -> bool:
    """Whether the settings of a part say where its network is, or it has none."""
    # `in` would say that a value that is missing is no setting at all.
    if not isinstance(settings, DictConfig) or "path" not in list(settings):
        return True
    try:
        return settings.path is not None
    except (MissingMandatoryValue, InterpolationToMissingValueError):
        return False
