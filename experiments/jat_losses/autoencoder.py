"""Train the small DAC whose latents this study is about: `python experiments/jat_losses/autoencoder.py CORPUS FOLDER`.

The architecture is DAC's, with a hop of 512 and 256 channels, a quarter of its width; it has no codebooks, and no
discriminators train it. CORPUS is what experiments/bundled/corpus.py makes; only its training list is read. FOLDER is
for `codec=dac codec.path=FOLDER codec.latent_dim=256`. The same command goes on where it was ended.
"""

from __future__ import annotations

import argparse
import io
import time
from operator import attrgetter
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Subset
from transformers import DacConfig, DacModel

from saga_sr.core.atomic_file import write_atomically
from saga_sr.data.folder import AudioFolder
from saga_sr.data.recordings import find_recordings
from saga_sr.data.split import inspect_files

RATE, LENGTH, BATCH, SEED = 44_100, 16_384, 4, 0
LEARNING_RATE, WARMUP = 5e-4, 100
# Of the weights that are kept, so that a training may be ended at any step.
DECAY = 0.99
WINDOWS = (2048, 512, 128)
# What is added to latents, as a share of their deviation, and what large ones cost.
NOISE, PENALTY = 0.1, 1e-3
# Sound is emphasised by this before it is compared, and magnitudes are told apart down to this share of its level:
# high frequencies are 40 to 60 dB below the others, and the losses would not hear them.
EMPHASIS, FLOOR = 0.95, 1e-3
# What clips are brought to, and the least that they are taken to have, before and after the emphasis.
RMS, LEAST = 0.1, 0.01
STEPS, SAVED_EVERY, SAID_EVERY = 3200, 100, 20


def outline() -> DacModel:
    """The network before training. Of its codebooks it keeps one, unused, since it cannot have none."""
    torch.manual_seed(SEED)
    sizes = {"encoder_hidden_size": 16, "decoder_hidden_size": 256, "downsampling_ratios": [8, 4, 4, 4]}
    network = DacModel(DacConfig(**sizes, n_codebooks=1, codebook_size=16, codebook_dim=4, sampling_rate=RATE))
    for layer in network.modules():
        # Its own first weights are so small that a short training is spent on making them larger.
        if isinstance(layer, nn.Conv1d | nn.ConvTranspose1d):
            layer.reset_parameters()
    network.apply_weight_norm()
    return network


def save_plain(network: DacModel, folder: Path) -> None:
    """Write what `codec=dac` reads: the weights themselves, not their lengths and directions."""
    plain = DacModel(network.config)
    plain.load_state_dict({name: attrgetter(name)(network) for name in plain.state_dict()})
    plain.save_pretrained(folder)


def crops(corpus: Path, steps: int) -> AudioFolder:
    """Those of `steps` steps, in the order in which they are trained on."""
    found = find_recordings(str(corpus / "train.tsv"))
    files, _ = inspect_files(found.files)
    return AudioFolder(files, steps * BATCH, LENGTH, RATE, SEED, weights=found.weights(files))


def magnitudes(audio: Tensor, window: int) -> Tensor:
    """Of the short-time spectra [b, bin, frame] of `audio` [b, 1, time]."""
    return torch.stft(audio[:, 0], window, window // 4, window=torch.hann_window(window), return_complex=True).abs()


def distance(output: Tensor, audio: Tensor) -> tuple[Tensor, Tensor]:
    """Of spectra at several resolutions, linear and logarithmic (Yamamoto et al. 2020), and of samples."""
    output, audio = emphasised(output), emphasised(audio)
    level = rms(audio).clamp(min=LEAST)
    output, audio = output / level, audio / level
    terms = []
    for window in WINDOWS:
        found, wanted = magnitudes(output, window), magnitudes(audio, window)
        floor = FLOOR * window**0.5
        terms.append((found - wanted).norm() / wanted.norm() + l1_loss((found + floor).log(), (wanted + floor).log()))
    return torch.stack(terms).mean(), l1_loss(output, audio)


def emphasised(audio: Tensor) -> Tensor:
    """`audio` [b, 1, time] with its high frequencies raised, by a difference of neighbouring samples."""
    return audio[..., 1:] - EMPHASIS * audio[..., :-1]


def rms(audio: Tensor) -> Tensor:
    """Of each clip [b, 1, 1]."""
    return audio.square().mean(dim=(1, 2), keepdim=True).sqrt()


def saved(path: Path, state: dict) -> None:
    content = io.BytesIO()
    torch.save(state, content)
    write_atomically(path, content.getvalue())


def main(corpus: Path, folder: Path, steps: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    network, checkpoint = outline(), folder / "training.pt"
    parameters = [*network.encoder.parameters(), *network.decoder.parameters()]
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(DECAY))
    optimizer = torch.optim.AdamW(parameters, lr=LEARNING_RATE, betas=(0.8, 0.99))
    first = 0
    if checkpoint.is_file():
        state = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["step"]
    data = crops(corpus, steps)
    loader = DataLoader(Subset(data, range(first * BATCH, len(data))), BATCH, num_workers=1, prefetch_factor=8)
    begun = time.monotonic()
    for step, batch in enumerate(loader, first):
        audio = batch["hr"] * (RMS / rms(batch["hr"]).clamp(min=LEAST))
        latent = network.encoder(audio)
        noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(step))
        output = network.decoder(latent + NOISE * latent.detach().std() * noise)
        spectra, samples = distance(output, audio)
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * min(1.0, (step + 1) / WARMUP)
        optimizer.zero_grad()
        (spectra + samples + PENALTY * latent.square().mean()).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        average.update_parameters(network)
        if (step + 1) % SAID_EVERY == 0:
            figures = f"spectra {spectra.item():.3f} samples {samples.item():.3f} latent {latent.std().item():.2f}"
            print(f"step {step + 1} of {steps}: {figures}, {time.monotonic() - begun:.0f} s", flush=True)
        if (step + 1) % SAVED_EVERY == 0 or step + 1 == steps:
            parts = {"network": network, "average": average, "optimizer": optimizer}
            saved(checkpoint, {name: part.state_dict() for name, part in parts.items()} | {"step": step + 1})
            save_plain(average.module, folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=STEPS)
    given = parser.parse_args()
    main(given.corpus, given.folder, given.steps)
