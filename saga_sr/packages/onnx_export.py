"""A model as ONNX, for programs without PyTorch: the network, its sampling, and what to know of its latents."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from saga_sr.core.errors import PackageError
from saga_sr.core.hardware import allow_fake_tensors
from saga_sr.core.imports import extras_named
from saga_sr.core.version import __version__
from saga_sr.model import SuperResolver
from saga_sr.packages.export import check_target, read_source
from saga_sr.packages.folders import taking_the_place_of
from saga_sr.packages.graphs import Graph, NetworkGraph, SamplerGraph, examples
from saga_sr.packages.onnx_card import describe_model, onnx_card

OPSET = 20
# How far onnxruntime may be from PyTorch, of latents whose variance is 1.
TOLERANCE = 1e-4
# Batch and frames of what is exported by, and of what is compared.
TRACED, TRIED = (2, 17), ((1, 23), (3, 64))
# A protobuf holds less than 2 GiB; larger weights stand in a file beside it.
LARGEST_INSIDE = 2**31 - 2**24
FILES = ("network.onnx", "network.onnx.data", "sampler.onnx", "sampler.onnx.data", "model.json", "README.md")


def export_onnx(source: str | Path, target: Path, kind: str | None = None, steps: int | None = None) -> list[str]:
    """Write a model as ONNX graphs, in float32, of any batch and any number of frames.

    Args:
        source, kind: see `export_package`.
        target: a folder that is not there yet, or an export, which is replaced once the new one has been tried.
        steps: evaluations of the network that `sampler.onnx` makes; the model's own number if left out.

    Returns:
        What was left out, a sentence each.

    Raises:
        ConfigError: an unknown kind, or no steps.
        PackageError: nothing to export, a target that holds something else, or a graph that does not do what the model
            does.
        ExtraError: what exports is not installed.
    """
    check_target(target, FILES)
    with extras_named():
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    model, config = read_source(source, kind)
    sampler, notes = model.sampler.changed(steps=steps, eta=0.0), []
    if model.sampler.eta:
        notes.append(f"sampler.onnx draws no noise in its steps, where the model does (eta={model.sampler.eta}).")
    with in_float32(model), taking_the_place_of(target) as aside:
        graphs: list[Graph] = [NetworkGraph(model)]
        if sampler.solver == "heun":
            # Its last step is another than the others, by a comparison that no graph can make.
            notes.append("There is no sampler.onnx: ONNX cannot hold sampler.solver=heun; step through network.onnx.")
        else:
            graphs.append(SamplerGraph(model, sampler))
        for graph in graphs:
            write(graph, aside / f"{graph.name}.onnx")
            check(graph, aside / f"{graph.name}.onnx")
        facts = describe_model(model, config, sampler, graphs)
        (aside / "model.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        (aside / "README.md").write_text(onnx_card(model, sampler, graphs), encoding="utf-8")
    return notes


@contextmanager
def in_float32(model: SuperResolver) -> Iterator[None]:
    """Without bfloat16, wherever the model computes."""
    before = model.mixed_precision
    model.mixed_precision = False
    try:
        yield
    finally:
        model.mixed_precision = before


@torch.no_grad()
def write(graph: Graph, path: Path) -> None:
    """Write `graph` as an ONNX file, its weights within unless they are too large.

    Raises:
        PackageError: it uses what ONNX does not have.
    """
    names = {"batch": "batch", "frames": "frames"}
    free = [
        {axis: names[str(size)] for axis, size in enumerate(port.shape) if size in names}
        for port in graph.inputs.values()
    ]
    size = sum(tensor.numel() * tensor.element_size() for tensor in graph.state_dict().values())
    allow_fake_tensors()
    with quiet():
        try:
            program: Any = torch.onnx.export(
                graph,
                examples(graph, *TRACED),
                dynamo=True,
                opset_version=OPSET,
                input_names=[*graph.inputs],
                output_names=[*graph.outputs],
                dynamic_shapes=(tuple(free),),
                verbose=False,
            )
        except Exception as error:
            reason = str(error.__cause__ or error).strip().splitlines()[0]
            raise PackageError(
                f"{graph.name}.onnx cannot be made of this model, since PyTorch's exporter stops ({reason}); use "
                "another version of torch and onnxscript."
            ) from error
        program.model.metadata_props.update(properties(graph.model))
        program.save(path, external_data=size > LARGEST_INSIDE)


def properties(model: SuperResolver) -> dict[str, str]:
    """What each ONNX file says of itself."""
    return {
        "saga_sr": __version__,
        "sample_rate": str(model.sample_rate),
        "hop_length": str(model.codec.hop_length),
        "latent_dim": str(model.codec.latent_dim),
    }


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what PyTorch's exporter says of its own workings to itself."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


@torch.no_grad()
def check(graph: Graph, path: Path) -> None:
    """Compare the ONNX file at `path` with `graph`, by onnxruntime, at batches and lengths that it was not made with.

    Raises:
        PackageError: they differ.
    """
    for batch, frames in TRIED:
        given = examples(graph, batch, frames)
        for name, expected, found in zip(graph.outputs, graph(*given), computed(path, graph, given), strict=True):
            difference = float((found - expected).abs().max()) if found.shape == expected.shape else float("inf")
            if not difference <= TOLERANCE * max(1.0, float(expected.square().mean().sqrt())):
                raise PackageError(
                    f"{name} of {path.name} differs by {difference:.2g} from PyTorch's, so nothing was written; "
                    "use another version of torch and onnxscript."
                )


def computed(path: Path, graph: Graph, given: tuple[Tensor, ...]) -> list[Tensor]:
    """What onnxruntime makes of the inputs `given` by the file at `path`."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    named = {name: tensor.numpy() for name, tensor in zip(graph.inputs, given, strict=True)}
    return [torch.from_numpy(output) for output in session.run([*graph.outputs], named)]
