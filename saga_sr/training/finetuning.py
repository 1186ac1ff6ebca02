"""Fine-tuning: training that goes on from the weights of a model package, with the model that they are of."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from saga_sr.core.errors import ConfigError, PackageError
from saga_sr.core.run_folder import is_run
from saga_sr.packages import hub
from saga_sr.packages.bundled import bundled_model
from saga_sr.packages.finding import find_model
from saga_sr.packages.layout import is_package
from saga_sr.packages.package import model_settings
from saga_sr.training.distillation import set_by_the_command
from saga_sr.weights.audiosr_layout import PUBLISHED
from saga_sr.weights.hub_folder import file_of

# The settings of a training that are a package's, by the parts of it that they are. Weights fit the first alone; the
# others may be chosen anew.
WEIGHED = {"codec": "codec", "backbone": "backbone", "conditioner": "conditioning", "objective": "objective"}
FREE = {part: part for part in ("sampler", "guidance", "low_band")}
# The backbone whose weights are fetched from a hub.
AUDIOSR = "saga_sr.backbones.audiosr_unet.AudioSRUNet"


def package_to_begin_from(init_from: str, backbone: str = "") -> Path | None:
    """The model package that `init_from` means: a package's or a run's folder, a bundled model's name, or a hub's.

    None where it is something else, as weights of other programs are.

    Args:
        backbone: the class of the backbone that is asked for; where it is AudioSR's, a hub may have its weights.

    Raises:
        ConfigError: a run that has no package yet.
        PackageError: a hub has no package of that name.
    """
    path = Path(init_from).expanduser()
    of_hub = not path.exists() and hub.is_name(init_from)
    named = of_hub or (not path.exists() and bundled_model(init_from) is not None)
    if not named and not is_package(path) and not is_run(path):
        return None
    try:
        folder = find_model(init_from)
    except PackageError:
        if of_hub and backbone == AUDIOSR:
            return None
        raise
    if folder.is_file():
        raise ConfigError(
            f"init_from={init_from} has no model package yet; make one with: saga-sr export {folder} FOLDER, and give "
            "that folder."
        )
    return folder


def weights_to_begin_from(init_from: str, backbone: str) -> Path:
    """Where the weights of another program are that `init_from` means; AudioSR's are fetched if they are a hub's.

    Args:
        backbone: see `package_to_begin_from`.

    Raises:
        WeightsError: a hub does not have them.
    """
    return file_of(init_from, PUBLISHED, "init_from") if backbone == AUDIOSR else Path(init_from)


def take_packages_model(config: DictConfig, folder: Path) -> None:
    """Give `config` the model of the package in `folder`.

    Raises:
        ConfigError: the command sets what is the package's.
        PackageError: the package is damaged.
    """
    given = {name: name.split(".")[0] for name in set_by_the_command()}
    for name, group in given.items():
        if group in (*WEIGHED.values(), "model"):
            raise ConfigError(
                f"{name} is the model's that init_from={config.init_from} begins from, and its weights fit no other; "
                "leave one of them out."
            )
    settings = model_settings(folder)
    own = {name: OmegaConf.select(config, name) for name, group in given.items() if group in FREE}
    for part, group in (WEIGHED | FREE).items():
        if part in settings and group not in given:
            OmegaConf.update(config, group, settings[part], merge=False, force_add=True)
    for name, value in own.items():
        OmegaConf.update(config, name, value)
