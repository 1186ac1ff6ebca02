"""Tells Hydra that `EnhanceSettings` is the schema of the configuration group `enhance`: imported before composing."""

from __future__ import annotations

from hydra.core.config_store import ConfigStore

from saga_sr.inference.settings import EnhanceSettings

ConfigStore.instance().store(group="enhance", name="enhance_schema", node=EnhanceSettings)
