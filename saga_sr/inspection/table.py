"""Text tables for a terminal: figures in units that people read, and costs side by side."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from saga_sr.inspection.contents import Contents
from saga_sr.inspection.cost import Cost

NOTHING = "-"
# How the figures come about, below every comparison.
METHOD = """\
FLOPs: of products, convolutions and attention, 2 for a multiplication with its addition; the codec's and the text
encoder's are not in them. Sampling is counted with a caption of full length; shorter ones take less. A second of
audio is a second of what the codec encodes at once: with a mono codec, stereo takes twice as much.
Training memory is an estimate for one process on a GPU: all its parts as if they were held at once. Activations are
what autograd keeps for the gradient, with fused attention and the weights that autocast has cast. Sampling is
estimated in bfloat16, by the most that is alive at once in a forward of all branches. What the codec's passes, the
device's library and fragmentation take comes on top: the largest batch leaves them a tenth of the memory."""


def count(number: float, unit: str = "") -> str:
    """`number` with a prefix: 12.3 k, 1,057 M, 84.8 GFLOP. Without a unit, M is the largest."""
    if not number:
        return NOTHING
    for prefix, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size and (unit or size < 1e9):
            return f"{_digits(number / size)} {prefix}{unit}"
    return f"{_digits(number)} {unit}".rstrip()


def memory(size: float) -> str:
    """`size` bytes in KiB, MiB or GiB."""
    if not size:
        return NOTHING
    for unit, bytes_ in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size >= bytes_:
            return f"{size / bytes_:.2f} {unit}"
    return f"{size:.0f} B"


def _digits(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 or number == int(number) else f"{number:.3g}"


def aligned(rows: Iterable[Sequence[str]], right: bool = False) -> str:
    """Rows of cells as columns two spaces apart; all but the first flushed `right` where asked."""
    cells = list(rows)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = (
        "  ".join(
            cell.rjust(width) if right and i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    )
    return "\n".join(line.rstrip() for line in lines)


def cost_table(costs: Mapping[str, Cost]) -> str:
    """The `costs` by their columns' names, side by side, and what is left out of them."""
    columns = list(costs.values())
    rows = [["", *costs], *_model(columns), *_compute(columns), *_memories(columns)]
    return "\n".join([aligned(rows, right=True), "", *_left_out(costs), METHOD])


def contents_table(contents: Contents, path: str) -> str:
    """What was recognised at `path`, its tensors, and what becomes of them."""
    rows = [["tensor", "shape", "dtype", "size", "becomes"]]
    for entry in contents.entries:
        shape = " x ".join(map(str, entry.shape)) or "scalar"
        left = f"not used: {entry.unused}" if entry.unused else NOTHING
        rows.append([entry.name, shape, entry.dtype, memory(entry.size), entry.ours or left])
    numbers = sum(math.prod(entry.shape) for entry in contents.entries)
    useless = sum(entry.ours is None for entry in contents.entries)
    size = memory(sum(entry.size for entry in contents.entries))
    total = f"{len(contents.entries)} tensors of {count(numbers)} numbers, {size}; {useless} become nothing here."
    return "\n".join([f"{path}: {contents.recognised}", *contents.facts, "", aligned(rows), "", total])


def _left_out(costs: Mapping[str, Cost]) -> list[str]:
    """What is left out, and of which columns where not of all."""
    columns: dict[str, list[str]] = {}
    for name, entry in costs.items():
        for said in entry.left_out:
            columns.setdefault(said, []).append(name)
    return [
        f"Left out: {said}." if len(names) == len(costs) else f"Left out of {' and '.join(names)}: {said}."
        for said, names in columns.items()
    ]


def _model(columns: Sequence[Cost]) -> list[list[str]]:
    parts = dict.fromkeys(part for entry in columns for part in entry.parameters)
    return [
        ["codec", *(entry.codec for entry in columns)],
        ["  sample rate", *(f"{entry.sample_rate / 1000:g} kHz" for entry in columns)],
        ["  audio channels", *(str(entry.channels) for entry in columns)],
        ["  latent channels", *(str(entry.latent_dim) for entry in columns)],
        ["  tokens per second", *(f"{entry.tokens:.1f}" for entry in columns)],
        ["trained parameters", *(count(sum(entry.parameters.values())) for entry in columns)],
        *([f"  {part}", *(count(entry.parameters.get(part, 0)) for entry in columns)] for part in parts),
        ["frozen parameters", *(count(entry.frozen) for entry in columns)],
    ]


def _compute(columns: Sequence[Cost]) -> list[list[str]]:
    return [
        ["per second of audio", *("" for _ in columns)],
        ["  one forward", *(count(entry.forward, "FLOP") for entry in columns)],
        ["  training step", *(count(entry.training, "FLOP") for entry in columns)],
        ["  sampling", *(count(entry.sampling, "FLOP") for entry in columns)],
        ["    evaluations", *(str(entry.evaluations) for entry in columns)],
        ["    branches of the guidance", *(str(entry.branches) for entry in columns)],
    ]


def _memories(columns: Sequence[Cost]) -> list[list[str]]:
    return [
        ["training memory", *(memory(sum(entry.training_memory.values())) for entry in columns)],
        ["  batch", *(f"{entry.batch_size} x {entry.clip_s:.2f} s" for entry in columns)],
        ["  precision", *(entry.precision for entry in columns)],
        *_parts([entry.training_memory for entry in columns]),
        *_fits(columns),
        ["sampling memory", *(memory(sum(entry.sampling_memory.values())) for entry in columns)],
        ["  batch", *(f"{entry.sampled} x {entry.chunk_s:.2f} s" for entry in columns)],
        *_parts([entry.sampling_memory for entry in columns]),
    ]


def _fits(columns: Sequence[Cost]) -> list[list[str]]:
    """The largest batches for a GPU, where one was named."""
    found = [entry.fits for entry in columns if entry.fits is not None]
    if not found:
        return []
    return [
        [f"  largest batch in {memory(found[0][0])}", *(str(plain) for _, plain, _ in found)],
        ["    with trainer.checkpointing=true", *(str(again) for *_, again in found)],
    ]


def _parts(memories: Sequence[Mapping[str, int]]) -> list[list[str]]:
    return [[f"  {part}", *(memory(entry[part]) for entry in memories)] for part in memories[0]]
