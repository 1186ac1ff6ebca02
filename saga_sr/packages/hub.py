"""Model packages on a hub: fetched by name and kept for use without a network, and published.

Which hub, where fetched files are kept, and who is logged in is `huggingface_hub`'s to know (HF_ENDPOINT, HF_HOME,
HF_TOKEN, HF_HUB_OFFLINE).
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

from saga_sr.core.errors import PackageError
from saga_sr.core.version import __version__
from saga_sr.packages.layout import FILES, NEEDED, is_package

logger = logging.getLogger(__name__)

# `*` of a pattern goes into folders too.
PATTERNS = [pattern for name in FILES for pattern in (name, f"{name}/*")]
REACHED_WITHIN_S = 10
NO_PACKAGE = (
    "{name} on the hub is no model package of saga-sr, which has config.yaml and model.safetensors; give another name, "
    "or, where weights of others are taken, the path that they were fetched to."
)
LOG_IN = "log in with `hf auth login`, or set HF_TOKEN"


def is_name(text: str) -> bool:
    """Whether `text` could be a model's name on a hub, `owner/name` or `owner/name@revision`."""
    return re.fullmatch(r"\w[\w.-]*/\w[\w.-]*(@[\w./-]+)?", text, re.ASCII) is not None


def fetch(name: str) -> Path:
    """The folder of the package `name` on the hub, as it is there now; what was fetched before if no hub is in reach.

    Only the files of a package are fetched.

    Raises:
        PackageError: no such model or revision, one that is not for this user, no model package, or no hub in reach and
            nothing fetched before.
    """
    from huggingface_hub import HfApi, snapshot_download

    repo, _, revision = name.partition("@")
    asked: dict[str, Any] = {
        "repo_id": repo,
        "revision": revision or None,
        "library_name": "saga-sr",
        "library_version": __version__,
        "allow_patterns": PATTERNS,
    }
    _quiet()
    try:
        listed = HfApi().model_info(repo, revision=revision or None, timeout=REACHED_WITHIN_S).siblings or ()
    except Exception as error:
        _answer(name, error)
        folder = _fetched_before(name, asked, error)
    else:
        if not set(NEEDED) <= {file.rfilename for file in listed}:  # before gigabytes of something else are fetched
            raise PackageError(NO_PACKAGE.format(name=name))
        try:
            folder = Path(snapshot_download(**asked))
        except Exception as error:
            raise PackageError(f"Fetching {name} failed ({_reason(error)}); say the same command again.") from error
    if not is_package(folder):
        raise PackageError(NO_PACKAGE.format(name=name))
    return folder


def _fetched_before(name: str, asked: dict[str, Any], why: Exception) -> Path:
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(**asked, local_files_only=True))
    except Exception as error:
        raise PackageError(
            f"{name} is no path here, the hub is not in reach ({_reason(why)}), and it was not fetched before; check "
            "the path, or connect to a network once."
        ) from error
    logger.warning("The hub is not in reach (%s); %s is taken as it was fetched before.", _reason(why), name)
    return folder


def check_can_publish(name: str) -> None:
    """See whether a package can be published as `name`, as far as that can be known without a network.

    Raises:
        PackageError: not a name, or nobody is logged in.
    """
    from huggingface_hub import get_token

    if not is_name(name) or "@" in name:
        raise PackageError(f"push={name} is not a name on a hub; give push=owner/name.")
    if get_token() is None:
        raise PackageError(f"Nobody is logged in to the hub, so {name} cannot be published; {LOG_IN}.")


def publish(folder: Path, name: str, private: bool) -> str:
    """Upload the package in `folder` as `name`, which is made if it is not there yet; its address.

    Files of an older package that the new one does not have are removed there.

    Args:
        private: whether a new one is shown to nobody else.

    Raises:
        PackageError: nobody is logged in, it is not theirs to write, or no hub is in reach.
    """
    from huggingface_hub import HfApi

    check_can_publish(name)
    _quiet()
    api = HfApi(library_name="saga-sr", library_version=__version__)
    try:
        address = api.create_repo(name, private=private, exist_ok=True)
        api.upload_folder(
            repo_id=name,
            folder_path=folder,
            commit_message=f"Model package of saga-sr {__version__}",
            allow_patterns=list(PATTERNS),
            delete_patterns=list(PATTERNS),
        )
    except Exception as error:
        _answer(name, error)
        raise PackageError(
            f"{name} could not be published ({_reason(error)}); the package is in {folder}, say the same command again."
        ) from error
    return str(address)


def _answer(name: str, error: Exception) -> None:
    """Raise what the hub said to `name` as a sentence; return where it was the way to it that failed.

    Raises:
        PackageError: the hub's answer.
    """
    from huggingface_hub import errors

    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, errors.GatedRepoError):
        said = f"{name} is open only to whom its owner lets in; ask there, and {LOG_IN}."
    elif isinstance(error, errors.RevisionNotFoundError):
        said = f"The hub has no revision {name.partition('@')[2]} of {name.partition('@')[0]}; give another, or none."
    elif isinstance(error, errors.RepositoryNotFoundError):
        said = f"{name} is no path here, and the hub has no such model, or a private one; check the name, or {LOG_IN}."
    elif isinstance(error, errors.HFValidationError):
        said = f"{name} is not a name on a hub ({_reason(error)}); give owner/name."
    elif status == 401:
        said = f"The hub does not know who asks for {name}; {LOG_IN}."
    elif status == 403:
        said = f"The hub does not let this user write {name}; {LOG_IN} as somebody who may, or give another name."
    else:
        return
    raise PackageError(said) from error


def _reason(error: Exception) -> str:
    """What `error` says, in a line of no great length."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:160].rstrip(".")


def _quiet() -> None:
    """Keep the lines of each request out of the log."""
    for name in ("httpx", "httpx2", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
