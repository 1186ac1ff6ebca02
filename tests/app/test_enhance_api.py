"""The app as a service: what programs ask it for by gradio_client."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import soundfile
from media import music
from programs import ROOT, program
from running_app import App

import saga_sr

if TYPE_CHECKING:
    from gradio_client import Client

pytestmark = pytest.mark.slow


@pytest.fixture
def client(app: App) -> Iterator[Client]:
    from gradio_client import Client

    client = Client(app.address, verbose=False)
    yield client
    client.close()


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("old") / "old.wav"
    soundfile.write(path, music(2, 16_000, 8000).T, 8000)
    return path


def test_a_program_enhances_by_the_app_as_by_python(client: Client, old: Path, tmp_path: Path) -> None:
    from gradio_client import handle_file

    (recording,) = client.predict([handle_file(str(old))], api_name="/add")
    assert recording["name"] == "old.wav" and recording["measured"]["channels"][0]["restored"]
    assert client.predict(api_name="/estimate") > 0
    (done,) = client.predict([recording["id"]], "saga-sr-mini", "fast", {"seed": 1}, api_name="/enhance")
    assert (done["state"], done["done_s"]) == ("done", 2.0) and done["speed"] > 0
    saved = Path(client.predict(recording["id"], "flac", {"bits": 16}, api_name="/save"))
    saga_sr.load().file(old, tmp_path / "old.flac", preset="fast", seed=1, bits=16)
    assert saved.name == "old.flac" and saved.read_bytes() == (tmp_path / "old.flac").read_bytes()
    assert client.predict(recording["id"], "flac", "", "fast", {"seed": 1}, api_name="/command") == (
        "saga-sr enhance old.wav enhanced/ format=flac preset=fast seed=1"
    )
    client.predict(recording["id"], api_name="/remove")
    assert client.predict(api_name="/recordings") == []


def test_the_example_of_the_docs(app: App, old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(from gradio_client.*?)```", (ROOT / "docs/app.md").read_text(), re.DOTALL)
    exec(example.replace("http://127.0.0.1:7860/", app.address).replace("old.mp3", str(old)))
    saved = capsys.readouterr().out.splitlines()[-1]
    assert saved.endswith("old.flac") and soundfile.info(saved).samplerate == 44_100


def test_each_action_is_an_endpoint_with_a_description(client: Client) -> None:
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    assert {*endpoints} == {
        *("/add", "/add_from", "/recordings", "/remove", "/correct", "/models", "/presets", "/estimate", "/enhance"),
        *("/cancel", "/save", "/save_all", "/save_into", "/command"),
        *("/blind_test", "/blind_answer", "/blind_stop", "/blind_save", "/reports"),
        *("/add_weights", "/inspect", "/export", "/export_into", "/export_command"),
    }


def test_edges_that_a_program_corrects_are_those_of_the_command(client: Client, old: Path, tmp_path: Path) -> None:
    from gradio_client import handle_file

    (recording,) = client.predict([handle_file(str(old))], api_name="/add")
    edges = [[{"begin_s": 0, "end_s": 1, "hz": 3000}, {"begin_s": 1, "end_s": 2, "hz": 3500}]] * 2
    client.predict(recording["id"], edges, api_name="/correct")
    client.predict(None, "", "fast", api_name="/enhance")
    shutil.copy(client.predict(recording["id"], "wav", api_name="/save"), tmp_path / "by the app.wav")
    shutil.copy(old, tmp_path)
    command = client.predict(recording["id"], "wav", "", "fast", api_name="/command")
    assert program("-m", "saga_sr", *shlex.split(command)[1:], cwd=tmp_path).returncode == 0
    assert (tmp_path / "by the app.wav").read_bytes() == (tmp_path / "enhanced" / "old.wav").read_bytes()
