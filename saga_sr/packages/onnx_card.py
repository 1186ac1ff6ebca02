"""What stands beside exported graphs: all that a program needs to call them, for machines and for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from saga_sr.conditioning.types import Port
from saga_sr.core.version import __version__
from saga_sr.flow.sampler import Sampler
from saga_sr.model import SuperResolver
from saga_sr.packages.graphs import Graph


def describe_model(
    model: SuperResolver, config: Mapping[str, Any], sampler: Sampler, graphs: Sequence[Graph]
) -> dict[str, Any]:
    """The content of `model.json`.

    Args:
        config: the model's, resolved.
        sampler: that of `sampler.onnx`.
    """
    codec = model.codec
    return {
        "saga_sr": __version__,
        "sample_rate": codec.sample_rate,
        "channels": codec.channels,
        "hop_length": codec.hop_length,
        "latent_dim": codec.latent_dim,
        "codec": config["codec"],
        "latent_mean": codec.latent_mean[:, 0].tolist(),
        "latent_scale": codec.latent_scale[:, 0].tolist(),
        "prior": {name: getattr(model.objective, name) for name in ("prior", "prior_width", "prior_width_above")},
        "sampler": {**vars(sampler), "times": sampler.times().tolist()},
        "graphs": {
            graph.name: {
                side: {name: {"shape": port.shape, "meaning": port.meaning} for name, port in ports.items()}
                for side, ports in (("inputs", graph.inputs), ("outputs", graph.outputs))
            }
            for graph in graphs
        },
    }


def onnx_card(model: SuperResolver, sampler: Sampler, graphs: Sequence[Graph]) -> str:
    """The content of README.md."""
    codec = model.codec
    tables = "\n\n".join(
        f"### {graph.name}.onnx\n\n{graph.__doc__}\n\n{_table(graph.inputs, graph.outputs)}" for graph in graphs
    )
    steps = f"{sampler.steps} step{'s' if sampler.steps > 1 else ''} of the solver `{sampler.solver}`"
    return f"""# Audio super-resolution: {type(model.backbone).__name__} on {type(codec).__name__} latents, as ONNX

Made with saga-sr {__version__}. All tensors are float32; `batch` and `frames` may be any. `model.json` has what stands
here for programs, with the codec's settings and statistics.

## Graphs

{tables}

## Around them

A latent has {codec.latent_dim} channels, and a frame for {codec.hop_length} samples at {codec.sample_rate} Hz.
The codec is `{type(codec).__module__}.{type(codec).__name__}` with the settings in `model.json`;
`latent_mean` and `latent_scale` are there, too. So the way is

1. resample the recording to {codec.sample_rate} Hz, measure where its content ends, and low-pass it there;
2. bring it to the level that the network knows (`saga_sr/audio/reference_frame.py`);
3. encode it, take away `latent_mean` and divide by `latent_scale`: this is `z_lr`;
4. run `sampler.onnx`, where it is there ({steps}), or step through `network.onnx` from {graphs[0].z_0} at t = 0
   to data at t = 1;
5. multiply by `latent_scale`, add `latent_mean`, decode, undo the level;
6. take what lies below the edge from the recording (`saga_sr/audio/low_band.py`).

`saga_sr/inference/session.py` does this.
"""


def _table(inputs: Mapping[str, Port], outputs: Mapping[str, Port]) -> str:
    rows = [
        f"| {side} | `{name}` | [{', '.join(map(str, port.shape))}] | {port.meaning} |"
        for side, ports in (("in", inputs), ("out", outputs))
        for name, port in ports.items()
    ]
    return "\n".join(["| | name | shape | meaning |", "|---|---|---|---|", *rows])
