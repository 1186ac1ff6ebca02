"""The models that the app offers, each loaded when it is first asked for."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

from saga_sr.core.errors import UsageError
from saga_sr.core.hardware import keep_memory, pick_device
from saga_sr.inference.dry_run import measure_speed
from saga_sr.inference.enhancer import Enhancer
from saga_sr.inference.settings import EnhanceSettings
from saga_sr.packages.bundled import DEFAULT
from saga_sr.packages.finding import model_name
from saga_sr.packages.load import load_model

# Models that are kept in memory.
KEPT = 2


class Models:
    """The bundled model and `sources`, by their names; nothing else can be loaded.

    Raises:
        ConfigError: there is no such `device`.
    """

    def __init__(self, sources: Sequence[str], device: str) -> None:
        self._sources: dict[str, str | None] = {DEFAULT: None}
        for source in sources:
            self.add(source)
        self._device = pick_device(device)
        if self._device.type == "cpu":
            keep_memory()
        self._loaded: OrderedDict[str, Enhancer] = OrderedDict()
        self._speeds: dict[str, float] = {}
        self._lock = threading.Lock()

    @property
    def names(self) -> list[str]:
        """What can be chosen, the one first that is taken if none is."""
        return [*self._sources]

    def add(self, source: str) -> str:
        """Offer another model; what it is called."""
        name = model_name(source)
        if self._sources.get(name, source) != source:
            name = source  # two of one name
        self._sources[name] = source
        return name

    def source(self, name: str) -> str | None:
        """What `model=` is for the model called `name`; None where it needs not be given.

        Raises:
            UsageError: there is none.
        """
        if name not in self._sources:
            raise UsageError(f"There is no model {name!r} here; choose one of {', '.join(self.names)}.")
        return self._sources[name]

    def enhancer(self, name: str, settings: EnhanceSettings) -> Enhancer:
        """The model called `name` with `settings`.

        Raises:
            UsageError: there is none.
            PackageError: it cannot be read.
            ConfigError: settings that it cannot use.
        """
        source = self.source(name)
        with self._lock:
            if name not in self._loaded:
                self._loaded[name] = Enhancer(load_model(source).to(self._device), name=model_name(source))
                while len(self._loaded) > KEPT:
                    self._loaded.popitem(last=False)
            self._loaded.move_to_end(name)
            kept = self._loaded[name]
        return Enhancer(kept.model, settings, kept.name)

    def speed(self, name: str, settings: EnhanceSettings) -> float:
        """About how many seconds of one channel the model called `name` restores in a second.

        It is tried where it is not known, which takes a while; `learn` makes it better.
        """
        key = _key(name, settings)
        if key not in self._speeds:
            self._speeds[key] = measure_speed(self.enhancer(name, settings))
        return self._speeds[key]

    def learn(self, name: str, settings: EnhanceSettings, speed: float) -> None:
        """What the speed has been."""
        self._speeds[_key(name, settings)] = speed


def _key(name: str, settings: EnhanceSettings) -> str:
    return repr((name, settings.sampler, settings.guidance, settings.batch_size))
