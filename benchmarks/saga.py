"""SAGA's transformer against stable-audio-tools' with the same weights; guided sampling in one forward against three.

    pip install --no-deps stable-audio-tools==0.0.19
    python benchmarks/saga.py small full

Ours and theirs take turns in one run; the ratios are medians of the turns' ratios. On a GPU (bfloat16 only) each is
also compiled, and the model FLOP utilisation is printed (of an H200's 989 TFLOP/s).
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from stable_audio_tools.models.dit import DiffusionTransformer
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from saga_sr.backbones.saga import Saga
from saga_sr.codecs.mdct import MDCT
from saga_sr.conditioning import Conditioning
from saga_sr.conditioning.acoustic import AcousticCondition
from saga_sr.conditioning.conditioner import Conditioner
from saga_sr.conditioning.types import Place
from saga_sr.core.hardware import keep_memory
from saga_sr.flow.guidance import Nested, branches
from saga_sr.flow.objective import FlowMatching
from saga_sr.flow.sampler import Sampler
from saga_sr.model import BranchConditioning, SuperResolver
from saga_sr.weights.stable_audio import name_tensors

SIZES = {"small": (512, 8, 8, 512, 1024), "full": (1536, 24, 24, 768, 1536)}
LATENT, FRAMES, TEXT, NUMBERS = 64, 128, 128, 2  # 5.9 s
CAPTIONS = (128, 16)  # tokens; shorter ones are filled up with zeros
TURNS = {"small": 7, "full": 3}
STEPS = 5
PEAK_FLOPS = 989e12
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
Call = Callable[[], object]


def make(size: str) -> tuple[Saga, nn.Module]:
    """Both implementations with the same weights in the same memory, none of them zero."""
    width, depth, heads, condition, glob = SIZES[size]
    torch.manual_seed(0)
    theirs = DiffusionTransformer(
        io_channels=LATENT, input_concat_dim=LATENT, embed_dim=width, depth=depth, num_heads=heads,
        cond_token_dim=condition, project_cond_tokens=False, global_cond_dim=glob,
        transformer_type="continuous_transformer",
    )  # fmt: skip
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    theirs = theirs.to(DEVICE)
    with torch.device("meta"):
        ours = Saga(LATENT, LATENT, width, depth, heads, condition, condition, glob)
    ours.load_state_dict(name_tensors(theirs.state_dict()).backbone, assign=True)
    return ours, theirs


def inputs(size: str, batch: int, caption: int = TEXT) -> tuple[Tensor, Tensor, Conditioning]:
    """z_t, t and what guides them, with a `caption` of so many tokens."""
    *_, condition, glob = SIZES[size]
    draw = torch.Generator().manual_seed(1)
    z, z_lr = (torch.randn(batch, LATENT, FRAMES, generator=draw).to(DEVICE) for _ in range(2))
    tokens = torch.randn(batch, TEXT + NUMBERS, condition, generator=draw).to(DEVICE)
    tokens[:, caption:TEXT] = 0
    beside = torch.randn(batch, glob, generator=draw).to(DEVICE)
    t = torch.rand(batch, generator=draw).to(DEVICE)
    places = {"text": Place(((0, TEXT),)), "acoustic": Place(channels=((0, LATENT),))}
    return z, t, Conditioning(z_lr, tokens, global_=beside, places=places)


def take_turns(calls: dict[str, Call], turns: int) -> dict[str, list[float]]:
    """Seconds of each call in each turn."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(turns + 1):
        for name, call in calls.items():
            spent = timed(call)
            if turn:
                seconds[name].append(spent)
    return seconds


def take_turns_training(makers: dict[str, Callable[[], Call]], turns: int) -> dict[str, list[float]]:
    """Seconds of each training step in each turn: its second one, since moments are made with the first."""
    seconds: dict[str, list[float]] = {name: [] for name in makers}
    for _ in range(turns):
        for name, make_step in makers.items():
            step = make_step()
            step()
            seconds[name].append(timed(step))
            del step
    return seconds


def timed(call: Call) -> float:
    """Seconds that `call` takes."""
    begin = time.perf_counter()
    call()
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - begin


def row(title: str, seconds: dict[str, list[float]], ours: str, theirs: str, flops: float = 0.0) -> None:
    """A row of the table: both medians, and the median of the turns' ratios."""
    first, second = (statistics.median(seconds[name]) for name in (ours, theirs))
    ratio = statistics.median(a / b for a, b in zip(seconds[ours], seconds[theirs], strict=True))
    used = f" | {100 * flops / first / PEAK_FLOPS:.0f} %" if DEVICE.type == "cuda" else ""
    print(f"| {title} | {1000 * first:.0f} ms | {1000 * second:.0f} ms | {ratio:.2f}{used} |", flush=True)


def against_stable_audio_tools(size: str, precision: str, compiled: bool) -> None:
    """Forward, gradient, and the training step as each package takes it."""
    batch = {"small": 4, "full": 1}[size] if DEVICE.type == "cpu" else 16
    ours, theirs = make(size)
    z, t, conditioning = inputs(size, batch)
    beside = {"cross_attn_cond": conditioning.cross_attention, "global_embed": conditioning.global_}
    run_ours, run_theirs = (torch.compile(m) if compiled else m for m in (ours, theirs))

    def forward(which: str, recompute: bool = False) -> Tensor:
        with torch.autocast(DEVICE.type, torch.bfloat16, enabled=precision == "bf16"):
            if which == "ours":
                return run_ours(z, t, conditioning).value.float()
            joined = {"input_concat_cond": conditioning.concat, "use_checkpointing": recompute}
            return run_theirs(z, t, **beside, **joined).float()

    def gradient(which: str, recompute: bool = False) -> None:
        for parameter in (*ours.parameters(), *theirs.parameters()):
            parameter.grad = None
        (forward(which, recompute) - z).square().mean().backward()

    def training(which: str, recompute: bool = False) -> Call:
        network = ours if which == "ours" else theirs
        optimizer = torch.optim.AdamW(network.parameters(), lr=0.0, fused=True if which == "ours" else None)

        def step() -> None:
            gradient(which, recompute)
            optimizer.step()

        return step

    flops = 0.0
    with torch.no_grad():
        difference = (forward("ours") - forward("theirs")).abs().max() / forward("theirs").abs().max()
        with FlopCounterMode(display=False) as counter:
            ours(z, t, conditioning)
        flops = counter.get_total_flops()
        seconds = take_turns({"ours": lambda: forward("ours"), "theirs": lambda: forward("theirs")}, TURNS[size])
    name = f"{size}, {precision}{', compiled' if compiled else ''}, batch {batch}"
    print(f"<!-- {name}: outputs differ by {difference:.1e} of the largest -->")
    row(f"{name}: forward", seconds, "ours", "theirs", flops)
    ways = {"ours": ("ours", False), "theirs": ("theirs", False), "theirs, recomputing": ("theirs", True)}
    seconds = take_turns({way: partial(gradient, *which) for way, which in ways.items()}, TURNS[size])
    row(f"{name}: forward and gradient, theirs without recomputing", seconds, "ours", "theirs", 3 * flops)
    row(f"{name}: forward and gradient, theirs recomputing", seconds, "ours", "theirs, recomputing")
    makers = {way: partial(training, *which) for way, which in ways.items()}
    seconds = take_turns_training(makers, TURNS[size])
    row(f"{name}: training step with AdamW, theirs without recomputing", seconds, "ours", "theirs")
    row(f"{name}: training step with AdamW, theirs recomputing", seconds, "ours", "theirs, recomputing")


@torch.no_grad()
def guided_sampling(size: str, caption: int) -> None:
    """Three branches of nested guidance: in one forward with the text read once, or one after another."""
    ours, _ = make(size)
    noise, _, conditioning = inputs(size, 1, caption)
    assert conditioning.concat is not None
    model = SuperResolver(
        MDCT(latent_dim=LATENT), _bare(ours), Conditioner(acoustic=AcousticCondition()), FlowMatching("velocity"),
        Sampler("euler", STEPS), Nested(),
    ).to(DEVICE)  # fmt: skip
    z_lr, weights = conditioning.concat, branches(Nested().weights, ("acoustic", "text"))
    described = replace(conditioning, concat=None)

    def together() -> Tensor:
        with model._autocast(DEVICE):
            stacked = Conditioning.stack([described.drop(dropped) for dropped in weights]).merge_zero_tokens()
            branched = BranchConditioning(weights, ours.prepare(stacked), 1)
            return model.sampler(model.velocity(z_lr, branched), noise)

    def one_after_another() -> Tensor:
        whole = [(conditioning.drop(dropped), weight) for dropped, weight in weights.items()]

        def field(z: Tensor, t: Tensor) -> Tensor:
            return sum((w * ours(z, t, branch).value.float() for branch, w in whole), torch.zeros_like(z))

        with model._autocast(DEVICE):
            return model.sampler(field, noise)

    difference = (together() - one_after_another()).abs().max() / one_after_another().abs().max()
    print(f"<!-- {size}, guided, {caption} tokens: outputs differ by {difference:.1e} of the largest -->")
    seconds = take_turns({"together": together, "one after another": one_after_another}, TURNS[size])
    title = f"{size}, bf16: {STEPS} guided steps of 5.9 s, a caption of {caption} tokens"
    row(title, seconds, "together", "one after another")


def _bare(backbone: Saga) -> Saga:
    """The backbone as one that is conditioned on nothing but z_lr, since the rest is made by hand here."""
    backbone.cross_attention_dim = backbone.global_dim = None
    return backbone


if __name__ == "__main__":
    keep_memory()  # as training does; both have it
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)))
    print("| | ours | theirs | ratio |" + (" utilisation |" if DEVICE.type == "cuda" else ""))
    print("|---|---|---|---|" + ("---|" if DEVICE.type == "cuda" else ""))
    for chosen in sys.argv[1:] or ["small"]:
        for kind in ("bf16",) if DEVICE.type == "cuda" else ("bf16", "float32"):
            for with_compiler in (False, True) if DEVICE.type == "cuda" else (False,):
                against_stable_audio_tools(chosen, kind, with_compiler)
        for length in CAPTIONS:
            guided_sampling(chosen, length)
