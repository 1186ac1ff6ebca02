"""Model packages in object storage, fetched into the user's cache once for each state they are in there."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from pathlib import Path

from saga_sr.core.atomic_file import folder_aside
from saga_sr.core.errors import PackageError
from saga_sr.core.storage import is_there, names_below, reaching, reason_of, shared
from saga_sr.packages.layout import ASSETS, FILES, NEEDED, is_package

logger = logging.getLogger(__name__)


def user_cache() -> Path:
    """The folder where what is made or fetched once is kept for later."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "saga-sr"


def fetch(address: str) -> Path:
    """The folder of this machine with the package at `address` as it is there now; only a package's files are fetched.

    Raises:
        PackageError: there is none, or it cannot be read.
        ConfigError, ExtraError: what reads such addresses is not installed.
    """
    package = shared(address)
    try:
        if not all(is_there(package / name) for name in NEEDED):
            raise PackageError(
                f"{address} is no model package of saga-sr, which has config.yaml and model.safetensors; give the "
                "address of one, or fetch what is there and give its path."
            )
        names = [name for name in FILES if name != ASSETS and is_there(package / name)]
        # Whoever writes there names what is below: nothing may lie outside the package, and markers of folders go.
        assets = [name for name in names_below(package / ASSETS) if not {"", ".", ".."} & {*name.split("/")}]
        return _fetched(package, [*names, *(f"{ASSETS}/{name}" for name in sorted(assets))])
    except OSError as error:
        raise PackageError(
            f"{address} cannot be fetched ({reason_of(error)}); check its address, and that you may read there."
        ) from error


def _fetched(package: Path, names: list[str]) -> Path:
    with reaching(package):
        states = [(name, (status := (package / name).stat()).st_size, status.st_mtime_ns) for name in names]
    folder = user_cache() / f"package-{hashlib.sha256(repr((str(package), states)).encode()).hexdigest()[:12]}"
    if is_package(folder):
        return folder
    logger.info("%s is fetched once, into %s", package, folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder_aside(folder.parent) as aside:
        for name in names:
            file = aside / folder.name / name
            file.parent.mkdir(parents=True, exist_ok=True)
            with reaching(package), (package / name).open("rb") as source, file.open("wb") as target:
                shutil.copyfileobj(source, target)
        try:
            (aside / folder.name).rename(folder)
        except OSError:
            if not is_package(folder):  # else another process was faster
                raise
    return folder
