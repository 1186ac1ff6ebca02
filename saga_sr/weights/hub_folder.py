"""Networks that others have published on a hub, as folders and files on this disk.

Which hub, a mirror of it say, and where fetched files are kept is `huggingface_hub`'s to know (HF_ENDPOINT, HF_HOME,
HF_TOKEN, HF_HUB_OFFLINE).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from saga_sr.core.errors import WeightsError

logger = logging.getLogger(__name__)

FILES = ("config.json", "*.safetensors")
REACHED_WITHIN_S = 10
HUB_NAME = r"\w[\w.-]*/\w[\w.-]*"


def file_of(path: str, name: str, option: str) -> Path:
    """What is at `path` on this disk, or the file `name` of the hub's model `path`; as fetched before if out of reach.

    Args:
        path: anything that is here, `owner/name` or `owner/name@revision`.
        option: what a user says for another one.

    Raises:
        WeightsError: neither a path nor such a model with such a file, or no hub in reach and nothing fetched before.
    """
    here, (repo, _, revision) = Path(path).expanduser(), path.partition("@")
    if here.exists() or Path(path.partition("/")[0]).exists() or not re.fullmatch(HUB_NAME, repo, re.ASCII):
        return here
    from huggingface_hub import hf_hub_download

    asked: dict[str, Any] = {"revision": revision or None, "library_name": "saga-sr"}
    try:
        return Path(hf_hub_download(repo, name, **asked))
    except Exception as error:
        # The hub's client raises whatever its transport does, and takes what it has for some of it only.
        try:
            fetched = Path(hf_hub_download(repo, name, **asked, local_files_only=True))
        except Exception:
            raise WeightsError(
                f"There is nothing at {path} here, and {name} of {repo} cannot be fetched from the hub "
                f"({_reason(error)}); check the name, say the command again, which goes on where a download broke off, "
                f"or give {option}=FILE."
            ) from error
        logger.warning("The hub is not in reach (%s); %s is taken as it was fetched before.", _reason(error), path)
        return fetched


def folder_of(path: str, parts: Sequence[str], option: str) -> Path:
    """The folder `path` on this disk, or that of the hub's model `path` with its `parts`, fetched if it was not before.

    What was fetched once is used without asking the hub again: weights that a model was trained with do not change.

    Args:
        path: a folder, or `owner/name`.
        parts: subfolders whose `config.json` and safetensors are fetched; never a pickle.
        option: what a user says for another one.

    Raises:
        WeightsError: neither such a folder nor such a model, or no hub in reach.
    """
    if Path(path).is_dir():
        return Path(path)
    if not re.fullmatch(HUB_NAME, path, re.ASCII):
        raise WeightsError(f"There is no folder {path}, nor is that a name on a hub; give {option}=FOLDER.")
    from huggingface_hub import HfApi, snapshot_download

    wanted = [f"{part}/{name}" for part in parts for name in FILES]
    try:
        fetched = Path(snapshot_download(path, allow_patterns=wanted, local_files_only=True))
        if all(any(fetched.glob(pattern)) for pattern in wanted):
            return fetched
    except OSError:
        logger.info("%s is fetched from the hub.", path)
    try:
        # Its answer says whether the hub is in reach, before much time is spent on trying.
        HfApi().model_info(path, timeout=REACHED_WITHIN_S)
        return Path(snapshot_download(path, allow_patterns=wanted))
    except Exception as error:
        raise WeightsError(
            f"There is no folder {path} here, and it cannot be fetched from the hub ({_reason(error)}); give a folder "
            f"with {' and '.join(parts)} in it ({option}=FOLDER), or the address of a mirror in HF_ENDPOINT."
        ) from error


def _reason(error: Exception) -> str:
    """What the hub's client said, in a line of no great length."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:160].rstrip(".")
