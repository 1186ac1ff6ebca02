"""The app in the browser: `saga-sr app`."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from omegaconf import DictConfig

from saga_sr.app.settings import AppSettings, settings_of
from saga_sr.cli.calling import Command, in_order
from saga_sr.cli.command import execute
from saga_sr.core.errors import UsageError
from saga_sr.core.imports import importing
from saga_sr.core.termination import ends_in_order

PASSWORD = "SAGA_SR_PASSWORD"


def password_for(settings: AppSettings) -> str | None:
    """The password that everybody has to give: of the environment, or asked for; None for an app of this machine's own.

    Raises:
        UsageError: others can reach the app, and there is none.
    """
    password = os.environ.pop(PASSWORD, "")  # processes that the app starts need not know it
    if not password and settings.is_public and sys.stdin.isatty():
        password = getpass.getpass(f"A password for those who reach {settings.host}: ")
    if not password and settings.is_public:
        raise UsageError(
            f"host={settings.host} lets others in; give {PASSWORD} in the environment, or leave host= out."
        )
    return password or None


def work(config: DictConfig) -> None:
    """Serve the app as `config` says, until it is told to end."""
    settings = settings_of(config)
    password = password_for(settings)
    with ends_in_order(), TemporaryDirectory(prefix="saga-sr-app-") as folder:
        root = Path(folder).resolve()
        # Read when Gradio is imported: where uploads go, and that nothing is told to anyone.
        os.environ.update(GRADIO_TEMP_DIR=str(root), GRADIO_ANALYTICS_ENABLED="False", HF_HUB_DISABLE_TELEMETRY="1")
        with importing():
            from saga_sr.app.site import serve

        serve(settings, password, root)


COMMAND = Command("app", "app", "", in_order())


def run(words: list[str]) -> None:
    """Answer the command line."""
    execute(COMMAND, words, work)
