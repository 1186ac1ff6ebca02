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
from saga_sr.conditioning import Conditioning
from saga_sr.conditioning.conditioner import Conditioner
from saga_sr.conditioning.types import ConditionValues
from saga_sr.core.errors import ConfigError
from saga_sr.flow.guidance import Branch, branches
from saga_sr.inspection.placeholders import T5_BASE_WIDTH, UnreadCodec, UnreadText
from saga_sr.model import SuperResolver


@dataclass(frozen=True)
class Outline:
    """A model whose backbone has shapes, and no values.

    Codec and conditioner are real, as far as they are on this machine. The backbone's tensors say that they are on a
    GPU, whether there is one or not, and take no memory.

    Attributes:
        model: of parts that fit each other.
        loss: what it is trained by.
        told: what the conditioner tells of one clip.
        fake: the mode in which the backbone runs.
        settings: what the backbone is made of.
        left_out: what is not on this machine and not counted, a sentence each.
    """

    model: SuperResolver
    loss: nn.Module
    told: Conditioning
    fake: FakeTensorMode
    settings: DictConfig
    left_out: list[str]

    def backbone_on(self, device: str) -> Backbone:
        """The backbone on another `device`."""
        with self.fake, torch.device(device):
            return instantiate(self.settings)

    @property
    def branches(self) -> dict[Branch, float]:
        """The weight of each branch of the guidance that sampling computes."""
        return branches(self.model.guidance.weights, self.model.conditioner.conditions)

    def frames(self, length: int) -> int:
        """Latent frames of so many samples of audio."""
        codec = self.model.codec
        with FakeTensorMode(allow_non_fake_inputs=True):
            return codec.analyse(torch.empty(1, codec.channels, length)).shape[-1]

    def conditioning(self, z_lr: Tensor) -> Conditioning:
        """What the backbone is told beside `z_lr` [b, c, frame], of the right shapes; call it in the `fake` mode."""
        parts: dict[str, Any] = {
            # Embeddings are trained, so gradients reach them.
            name: torch.empty(len(z_lr), *getattr(self.told, name).shape[1:], device=z_lr.device, requires_grad=True)
            for name in self.told.parts
        }
        return replace(self.told, concat=z_lr, **parts)


def outline(config: DictConfig) -> Outline:
    """The model and the loss that a training's `config` describes. A codec or text encoder without a path is left out.

    Raises:
        SagaError: parts that do not fit each other, or a path at which nothing can be read.
    """
    codec, conditioner, left_out = _codec(config), _conditioner(config), []
    if isinstance(codec, UnreadCodec):
        left_out.append("the codec's network, since no codec.path is given")
    if isinstance(conditioner.text, UnreadText):
        left_out.append(f"the text encoder, since no text_encoder is given (it is taken to be {T5_BASE_WIDTH} wide)")
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
        told = conditioner.describe(ConditionValues([""], torch.zeros(1, 2)))
    return Outline(model, instantiate(config.loss), told, fake, config.backbone, left_out)


def _codec(config: DictConfig) -> Codec:
    if _has_path(config.codec):
        return instantiate(config.codec)
    network: Any = get_class(config.codec._target_)
    if not hasattr(network, "PUBLISHED_HOP"):
        raise ConfigError(f"The sizes of {network.__name__} are in its weights alone; give codec.path=...")
    channels = config.codec.get("channels", network.PUBLISHED_CHANNELS)
    return UnreadCodec(config.codec.sample_rate, channels, config.codec.latent_dim, network.PUBLISHED_HOP)


def _conditioner(config: DictConfig) -> Conditioner:
    text = config.conditioning.text
    if text is None or _has_path(text):
        return instantiate(config.conditioning)
    unread = f"{UnreadText.__module__}.{UnreadText.__name__}"
    return instantiate(config.conditioning, text={"_target_": unread, "path": None})


def _has_path(settings: DictConfig) -> bool:
    """Whether the settings of a part say where its network is, or it has none."""
    # `in` would say that a value that is missing is no setting at all.
    if "path" not in list(settings):
        return True
    try:
        return settings.path is not None
    except (MissingMandatoryValue, InterpolationToMissingValueError):
        return False
