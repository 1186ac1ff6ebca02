"""SAGA's transformer against stable-audio-tools' with the same weights; guided sampling in one forward against three.

    pip install --no-deps stable-audio-tools==0.0.19
    python benchmarks/saga.py small full
    python benchmarks/saga.py small full --schedules
    python benchmarks/saga.py small --profile

With OMP_NUM_THREADS=1 processor time is taken, which others on the machine do not lengthen.
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
from typing import Any

import torch
from stable_audio_tools.models.dit import DiffusionTransformer
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_unflatten
from torch.utils.flop_counter import FlopCounterMode

from saga_sr.backbones.layers import Linear
from saga_sr.backbones.saga import Saga
from saga_sr.codecs.mdct import MDCT
from saga_sr.conditioning import Conditioning
from saga_sr.conditioning.acoustic import AcousticCondition
from saga_sr.conditioning.conditioner import TOKENS_AT_ONCE, Conditioner
from saga_sr.conditioning.types import Place
from saga_sr.core.hardware import keep_memory
from saga_sr.flow.guidance import Nested, branches
from saga_sr.flow.objective import FlowMatching
from saga_sr.flow.sampler import Sampler
from saga_sr.model import BranchConditioning, SuperResolver
from saga_sr.training.rounded_weights import rounding
from saga_sr.weights.stable_audio import name_tensors

# wide: some blocks of the full one, where not all of it fits.
SIZES = {"small": (512, 8, 8, 512, 1024), "wide": (1536, 3, 24, 768, 1536), "full": (1536, 24, 24, 768, 1536)}
LATENT, FRAMES, TEXT, NUMBERS = 64, 128, 128, 2  # 5.9 s
CAPTIONS = (128, 16)  # tokens; shorter ones are filled up with zeros
TURNS = {"small": 7, "wide": 5, "full": 5}
BATCH = {"small": 4, "wide": 1, "full": 1}
STEPS, WHOLE_STEPS = 5, 100
# Guidance at some times alone, see experiments/guidance.
SCHEDULES = {"every 4": {"every": 4}, "0.1 to 0.9, every 4": {"interval": (0.1, 0.9), "every": 4}}
PRODUCTS = {"mm", "addmm", "bmm", "baddbmm", "mkldnn_linear", "mkldnn_linear_backward"}
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


class Products(TorchDispatchMode):
    """What is multiplied while it is entered, to be multiplied again without all that is between.

    Equal products take equal numbers, which may lie in a cache: it is the least that they can take.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self._made: dict[object, list[object]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket.__name__ in PRODUCTS:
            given, form = tree_flatten(args)
            key = func, *(_shape(value) if isinstance(value, Tensor) else value for value in given)
            made = self._made.setdefault(key, [x.clone() if isinstance(x, Tensor) else x for x in given])
            self.calls.append(partial(func, *tree_unflatten(made, form)))
        return func(*args, **(kwargs or {}))

    @torch.no_grad()
    def again(self) -> None:
        """Multiply once more."""
        for call in self.calls:
            call()


def _shape(tensor: Tensor) -> tuple[object, ...]:
    return tensor.shape, tensor.dtype, tensor.layout, None if tensor.is_mkldnn else tensor.stride()


def timed(call: Call) -> float:
    """Seconds that `call` takes."""
    clock = time.process_time if torch.get_num_threads() == 1 and DEVICE.type == "cpu" else time.perf_counter
    begin = clock()
    call()
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
    return clock() - begin


def row(title: str, seconds: dict[str, list[float]], ours: str, theirs: str, flops: float = 0.0) -> None:
    """A row of the table: both medians, and the median of the turns' ratios."""
    first, second = (statistics.median(seconds[name]) for name in (ours, theirs))
    ratio = statistics.median(a / b for a, b in zip(seconds[ours], seconds[theirs], strict=True))
    used = f" | {100 * flops / first / PEAK_FLOPS:.0f} %" if DEVICE.type == "cuda" else ""
    print(f"| {title} | {1000 * first:.0f} ms | {1000 * second:.0f} ms | {ratio:.2f}{used} |", flush=True)


def against_stable_audio_tools(size: str, precision: str, compiled: bool, caption: int = TEXT) -> None:
    """Forward, gradient, and the training step as each package takes it, and the products of ours alone.

    Ours goes through so many tokens of a short `caption` as it does in training, theirs always through all.
    """
    batch = BATCH[size] if DEVICE.type == "cpu" else 16
    ours, theirs = make(size)
    z, t, conditioning = inputs(size, batch, caption)
    merged = conditioning.merge_zero_tokens(TOKENS_AT_ONCE)
    beside = {"cross_attn_cond": conditioning.cross_attention, "global_embed": conditioning.global_}
    run_ours, run_theirs = (torch.compile(m) if compiled else m for m in (ours, theirs))

    def forward(which: str, recompute: bool = False) -> Tensor:
        with torch.autocast(DEVICE.type, torch.bfloat16, enabled=precision == "bf16"):
            if which != "theirs":
                return run_ours(z, t, merged).value.float()
            joined = {"input_concat_cond": conditioning.concat, "use_checkpointing": recompute}
            return run_theirs(z, t, **beside, **joined).float()

    def gradient(which: str, recompute: bool = False) -> None:
        for parameter in (*ours.parameters(), *theirs.parameters()):
            parameter.grad = None
        (forward(which, recompute) - z).square().mean().backward()

    def training(which: str, recompute: bool = False) -> Call:
        for layer in ours.modules():
            if isinstance(layer, Linear):
                layer.rounded = None
        if which == "theirs":
            optimizer: torch.optim.Optimizer = torch.optim.AdamW(theirs.parameters(), lr=0.0)
        else:
            fused = partial(torch.optim.AdamW, lr=0.0, fused=True)
            make_ours = rounding(fused, ours, "bf16-mixed", 1) if which == "rounded" else fused
            optimizer = make_ours(ours.parameters())

        def step() -> None:
            optimizer.zero_grad()
            gradient(which, recompute)
            optimizer.step()

        return step

    flops = 0.0
    with torch.no_grad():
        difference = (forward("ours") - forward("theirs")).abs().max() / forward("theirs").abs().max()
        with FlopCounterMode(display=False) as counter:
            ours(z, t, merged)
        flops = counter.get_total_flops()
        seconds = take_turns({"ours": lambda: forward("ours"), "theirs": lambda: forward("theirs")}, TURNS[size])
    short = f", a caption of {caption} tokens" if caption < TEXT else ""
    name = f"{size}, {precision}{', compiled' if compiled else ''}, batch {batch}{short}"
    print(f"<!-- {name}: outputs differ by {difference:.1e} of the largest -->")
    row(f"{name}: forward", seconds, "ours", "theirs", flops)
    ways = {"ours": ("ours", False), "theirs": ("theirs", False), "theirs, recomputing": ("theirs", True)}
    seconds = take_turns({way: partial(gradient, *which) for way, which in ways.items()}, TURNS[size])
    row(f"{name}: forward and gradient, theirs without recomputing", seconds, "ours", "theirs", 3 * flops)
    row(f"{name}: forward and gradient, theirs recomputing", seconds, "ours", "theirs, recomputing")
    with Products() as products:
        gradient("ours")
    if precision == "bf16":
        ways["ours, rounded weights"] = ("rounded", False)
    makers: dict[str, Callable[[], Call]] = {way: partial(training, *which) for way, which in ways.items()}
    seconds = take_turns_training(makers | {"products": lambda: products.again}, TURNS[size])
    row(f"{name}: training step with AdamW, theirs without recomputing", seconds, "ours", "theirs")
    row(f"{name}: training step with AdamW, theirs recomputing", seconds, "ours", "theirs, recomputing")
    if precision == "bf16":
        title = f"{name}: training step with trainer.rounded_weights, theirs without recomputing"
        row(title, seconds, "ours, rounded weights", "theirs")
    row(f"{name}: products of our step alone, their step without recomputing", seconds, "products", "theirs")


class Guided:
    """Guided sampling of one clip: all branches in one forward with the text read once, or one after another."""

    def __init__(self, size: str, caption: int) -> None:
        self.ours, _ = make(size)
        self.noise, _, self.conditioning = inputs(size, 1, caption)
        self.model = SuperResolver(
            MDCT(latent_dim=LATENT), _bare(self.ours), Conditioner(acoustic=AcousticCondition()),
            FlowMatching("velocity"), Sampler("euler"), Nested(),
        ).to(DEVICE)  # fmt: skip

    def together(self, steps: int, guidance: Nested) -> Tensor:
        """As enhancing does it."""
        weights = branches(guidance, ("acoustic", "text"))
        assert self.conditioning.concat is not None
        described = replace(self.conditioning, concat=None)
        with self.model._autocast(DEVICE):
            stacked = Conditioning.stack([described.drop(dropped) for dropped in weights]).merge_zero_tokens()
            branched = BranchConditioning(weights, self.ours.prepare(stacked), 1, guidance.schedule)
            return Sampler("euler", steps)(self.model.velocity(self.conditioning.concat, branched), self.noise)

    def one_after_another(self, steps: int) -> Tensor:
        """A forward for each branch, with all tokens."""
        weights = branches(Nested(), ("acoustic", "text"))
        whole = [(self.conditioning.drop(dropped), weight) for dropped, weight in weights.items()]

        def field(z: Tensor, t: Tensor) -> Tensor:
            return sum((w * self.ours(z, t, branch).value.float() for branch, w in whole), torch.zeros_like(z))

        with self.model._autocast(DEVICE):
            return Sampler("euler", steps)(field, self.noise)


@torch.no_grad()
def guided_sampling(size: str, caption: int) -> None:
    """Three branches of nested guidance in a few steps."""
    guided = Guided(size, caption)
    calls: dict[str, Any] = {
        "together": partial(guided.together, STEPS, Nested()),
        "one after another": partial(guided.one_after_another, STEPS),
    }
    first, second = (call() for call in calls.values())
    print(f"<!-- {size}, guided, {caption} tokens: {(first - second).abs().max() / second.abs().max():.1e} apart -->")
    seconds = take_turns(calls, TURNS[size])
    title = f"{size}, bf16: {STEPS} guided steps of 5.9 s, a caption of {caption} tokens"
    row(title, seconds, "together", "one after another")


@torch.no_grad()
def scheduled_sampling(size: str) -> None:
    """A whole sampling with a usual caption, guided at some times alone."""
    guided, loop = Guided(size, CAPTIONS[1]), "one after another"
    calls: dict[str, Call] = {loop: partial(guided.one_after_another, WHOLE_STEPS)}
    schedules: dict[str, Any] = {"always": {}} | SCHEDULES
    for name, schedule in schedules.items():
        calls[name] = partial(guided.together, WHOLE_STEPS, Nested(**schedule))
    seconds = take_turns(calls, TURNS[size])
    for name in schedules:
        row(f"{size}, bf16: {WHOLE_STEPS} steps of 5.9 s, guided {name}", seconds, name, loop)


def profile_step(size: str) -> None:
    """The share of each of PyTorch's operators in our training step in bf16."""
    ours, _ = make(size)
    z, t, conditioning = inputs(size, BATCH[size])
    optimizer = torch.optim.AdamW(ours.parameters(), lr=0.0, fused=True)

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(DEVICE.type, torch.bfloat16):
            found = ours(z, t, conditioning).value.float()
        (found - z).square().mean().backward()
        optimizer.step()

    step()
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        for _ in range(3):
            step()
    spent = {event.key: event.self_cpu_time_total for event in profiler.key_averages()}
    for name, microseconds in sorted(spent.items(), key=lambda item: -item[1])[:16]:
        print(f"| {size}, bf16: {name} | {100 * microseconds / sum(spent.values()):.1f} % |")


def _bare(backbone: Saga) -> Saga:
    """The backbone as one that is conditioned on nothing but z_lr, since the rest is made by hand here."""
    backbone.cross_attention_dim = backbone.global_dim = None
    return backbone


if __name__ == "__main__":
    keep_memory()  # as training does; both have it
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)))
    print("| | ours | theirs | ratio |" + (" utilisation |" if DEVICE.type == "cuda" else ""))
    print("|---|---|---|---|" + ("---|" if DEVICE.type == "cuda" else ""))
    for chosen in [word for word in sys.argv[1:] if word in SIZES] or ["small"]:
        if "--profile" in sys.argv:
            profile_step(chosen)
            continue
        if "--schedules" in sys.argv:
            scheduled_sampling(chosen)
            continue
        for kind in ("bf16",) if DEVICE.type == "cuda" else ("bf16", "float32"):
            for with_compiler in (False, True) if DEVICE.type == "cuda" else (False,):
                for length in CAPTIONS:
                    against_stable_audio_tools(chosen, kind, with_compiler, length)
        for length in CAPTIONS:
            guided_sampling(chosen, length)
