"""What AudioSR's codec takes of memory for a chunk, by shapes alone: nothing is computed.

    python benchmarks/audiosr/memory.py

`saga-sr inspect backbone=audiosr_unet codec=audiosr ...` says it of the U-Net, see README.md.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from diffusers import AutoencoderKL
from torch import nn

from saga_sr.codecs.audiosr import BANDS, HOP, SAMPLE_RATE, vocoder_sizes
from saga_sr.codecs.hifigan import HifiGAN
from saga_sr.inspection.measure import count_peak_bytes

CHUNK_S = 5.12
# Those of `basic` and `speech`, in `get_basic_config` of the package audiosr.
WIDTHS, BLOCKS, CHANNELS, INITIAL = (128, 256, 512, 1024), 2, 16, 1536


def parameters(network: nn.Module) -> float:
    """Of `network`, in millions."""
    return sum(parameter.numel() for parameter in network.parameters()) / 1e6


def main() -> None:
    """Print a line for each stage."""
    with torch.device("meta"):
        vae = AutoencoderKL(
            in_channels=1,
            out_channels=1,
            down_block_types=("DownEncoderBlock2D",) * len(WIDTHS),
            up_block_types=("UpDecoderBlock2D",) * len(WIDTHS),
            block_out_channels=WIDTHS,
            layers_per_block=BLOCKS,
            latent_channels=CHANNELS,
        ).eval()
        vocoder = HifiGAN(vocoder_sizes(INITIAL)).eval()
        frames, shrinks = round(CHUNK_S * SAMPLE_RATE / HOP), 2 ** (len(WIDTHS) - 1)
        image = torch.empty(1, 1, frames, BANDS)
        latent = torch.empty(1, CHANNELS, frames // shrinks, BANDS // shrinks)
        mel = torch.empty(1, BANDS, frames)
    print(f"autoencoder {parameters(vae):.0f} M parameters, vocoder {parameters(vocoder):.0f} M")
    weights = 4e6 * (parameters(vae) + parameters(vocoder)) / 2**30
    print(f"{weights:.2f} GiB of weights in float32")
    stages: dict[str, Callable[[], object]] = {
        "encoder": lambda: vae.encode(image),
        "decoder": lambda: vae.decode(latent),
        "vocoder": lambda: vocoder(mel),
    }
    with torch.no_grad():
        for name, stage in stages.items():
            print(f"{count_peak_bytes(stage) / 2**30:.2f} GiB for the {name}, {CHUNK_S} s at once")


if __name__ == "__main__":
    main()
