"""A small corpus prepared in this process."""

from __future__ import annotations

from pathlib import Path

from saga_sr.data.recordings import find_recordings
from saga_sr.preparation.finish import finish
from saga_sr.preparation.part import prepare_part
from saga_sr.preparation.plan import Settings, make_plan

RATE, LENGTH = 44_100, 16_384
LOWPASS = {"_target_": "saga_sr.audio.degradation.LowPassDegradation", "sample_rate": RATE}
CONDITIONS = {"rolloff": "saga_sr.conditioning.rolloff.RolloffCondition"}
SETTINGS = Settings(
    codec={"_target_": "saga_sr.codecs.mdct.MDCT", "sample_rate": RATE, "latent_dim": 64, "exponent": 0.5},
    degradation=LOWPASS, conditions=CONDITIONS, sample_rate=RATE, hop_length=64,
    num_samples=LENGTH, degradations=2, dtype="float32",
    validation_fraction=0.25, shard_mb=1, seed=5,
)  # fmt: skip


def prepared(folder: Path, output: Path, settings: Settings = SETTINGS, clips: int = 3) -> Path:
    plan = make_plan(find_recordings(folder), None, None, settings, output, clips)
    for part in plan.parts:
        prepare_part(part, output=output, settings=settings, device="cpu")
    finish(output, plan)
    return output


def of_training(files: dict[str, bytes]) -> dict[str, bytes]:
    """What training reads of what lies in a prepared folder, by name; other files tell paths."""
    kinds = (".bin", "index.json", "statistics.safetensors")
    return {name: data for name, data in files.items() if name.endswith(kinds)}
