"""Small networks of the real classes, in the layouts that mel autoencoders and vocoders are published in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from torch import nn
from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

from saga_sr.codecs.bigvgan import BigVGAN, BigVGANSizes
from saga_sr.codecs.hifigan import HifiGAN, HifiGANSizes
from saga_sr.codecs.vocos import Vocos, VocosSizes

SCALING_FACTOR = 0.5
GENERATOR = {
    "resblock": "1", "upsample_rates": [8, 8, 4], "upsample_kernel_sizes": [16, 16, 8],
    "upsample_initial_channel": 16, "resblock_kernel_sizes": [3], "resblock_dilation_sizes": [[1, 3, 5]],
    "num_mels": 20, "n_fft": 1024, "hop_size": 256, "win_size": 1024, "sampling_rate": 44_100, "fmin": 0,
    "fmax": None,
}  # fmt: skip
SNAKES = {"activation": "snakebeta", "snake_logscale": True, "use_tanh_at_final": False, "use_bias_at_final": False}
VOCOS = {
    "feature_extractor": {
        "class_path": "vocos.feature_extractors.MelSpectrogramFeatures",
        "init_args": {"sample_rate": 44_100, "n_fft": 1024, "hop_length": 256, "n_mels": 20, "padding": "center"},
    },
    "backbone": {
        "class_path": "vocos.models.VocosBackbone",
        "init_args": {"input_channels": 20, "dim": 16, "intermediate_dim": 32, "num_layers": 2},
    },
    "head": {
        "class_path": "vocos.heads.ISTFTHead",
        "init_args": {"dim": 16, "n_fft": 1024, "hop_length": 256, "padding": "center"},
    },
}  # fmt: skip


def make_audioldm2(folder: Path, dtype: torch.dtype = torch.float32, **changes: Any) -> Path:
    """A pipeline's folder with a small autoencoder and a small vocoder; `changes` of the autoencoder."""
    torch.manual_seed(0)
    sizes: dict[str, Any] = {
        "in_channels": 1, "out_channels": 1, "down_block_types": ["DownEncoderBlock2D"] * 3,
        "up_block_types": ["UpDecoderBlock2D"] * 3, "block_out_channels": [4, 4, 4], "layers_per_block": 1,
        "latent_channels": 2, "norm_num_groups": 2, "scaling_factor": SCALING_FACTOR,
    }  # fmt: skip
    AutoencoderKL(**{**sizes, **changes}).to(dtype).save_pretrained(folder / "vae")
    vocoder = SpeechT5HifiGanConfig(
        model_in_dim=64, upsample_initial_channel=32, upsample_rates=[5, 4, 2, 2, 2],
        upsample_kernel_sizes=[16, 16, 8, 4, 4], resblock_kernel_sizes=[3], resblock_dilation_sizes=[[1, 3, 5]],
        normalize_before=False, initializer_range=0.2,
    )  # fmt: skip
    SpeechT5HifiGan(vocoder).to(dtype).save_pretrained(folder / "vocoder")
    return folder


def make_vocoder(folder: Path, layout: str) -> nn.Module:
    """A small `hifigan`, `bigvgan` or `vocos` in `folder`, as it is published; the network."""
    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    network: nn.Module
    if layout == "vocos":
        network = Vocos(VocosSizes(20, 16, 32, 2, 1024, 256))
        (folder / "config.yaml").write_text(json.dumps(VOCOS))
        torch.save(network.state_dict(), folder / "pytorch_model.bin")
        return network
    config = GENERATOR | (SNAKES if layout == "bigvgan" else {})
    kind: Any = (BigVGAN, BigVGANSizes) if layout == "bigvgan" else (HifiGAN, HifiGANSizes)
    known = kind[1].__dataclass_fields__
    network = kind[0](kind[1](**{name: value for name, value in config.items() if name in known}))
    (folder / "config.json").write_text(json.dumps(config))
    name = "bigvgan_generator.pt" if layout == "bigvgan" else "g_02500000"
    torch.save({"generator": network.state_dict()}, folder / name)
    return network
