"""What hostile users and hostile files can do to the app: nothing."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import soundfile
from hostile import crafted
from media import encoded, music
from running_app import App, Visit, running_app, within

if TYPE_CHECKING:
    from gradio_client import Client
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow

SCRIPT = "<img src=x onerror=window.stolen=1>${window.stolen=2}{{stolen}}"


@pytest.fixture
def client(app: App) -> Iterator[Client]:
    from gradio_client import Client

    client = Client(app.address, verbose=False)
    yield client
    client.close()


def upload(app: App, name: str, content: bytes) -> str:
    """Where a file is that was uploaded by hand."""
    answer = httpx.post(f"{app.address}gradio_api/upload", files={"files": (name, content)}, timeout=60)
    return str(answer.raise_for_status().json()[0])


def as_file(path: str, name: str = "x.wav") -> dict[str, object]:
    return {"path": path, "orig_name": name, "meta": {"_type": "gradio.FileData"}}


def raw_call(app: App, name: str, *data: object) -> str:
    """What an endpoint answers to a request that no client of Gradio's would make."""
    url = f"{app.address}gradio_api/call/{name}"
    event = httpx.post(url, json={"data": data}, timeout=60).json()["event_id"]
    return httpx.get(f"{url}/{event}", timeout=60).text


def test_files_that_are_no_recordings_are_named_and_nothing_else(client: Client, tmp_path: Path) -> None:
    from gradio_client import handle_file

    wrong = {"empty.wav": b"", "page.mp3": b"<script>alert(1)</script>", "pickle.flac": b"\x80\x04cos\nsystem\n."}
    wrong |= {f"{i}.wav": content for i, content in enumerate(crafted().values())}
    for name, content in wrong.items():
        (tmp_path / name).write_bytes(content)
    added = client.predict([handle_file(str(tmp_path / name)) for name in wrong], api_name="/add")
    for recording in added:
        assert recording["failure"] and not recording["measured"], recording
        assert "/" not in recording["failure"].split(" ")[0]  # the name, not where it lies
    with pytest.raises(Exception, match=re.escape(added[0]["failure"])):
        client.predict([added[0]["id"]], api_name="/enhance")


def test_only_what_was_uploaded_can_be_added(app: App, tmp_path: Path) -> None:
    secret = tmp_path / "secret.wav"
    soundfile.write(secret, music(1, 8000, 8000).T, 8000)
    link = app.folder / "link.wav"
    link.symlink_to(secret)
    for path in (str(secret), __file__, "/etc/passwd", f"{app.folder}/../app.log", "http://127.0.0.1:9/x.wav", "\0"):
        said = raw_call(app, "add", [as_file(path)])
        assert "event: error" in said and "measured" not in said, said
        assert "event: error" in raw_call(app, "add", [{"path": path}])
        assert "event: error" in raw_call(app, "add_from", path)
    assert "event: error" in raw_call(app, "add_from", str(link))


def test_names_are_only_names(app: App) -> None:
    sound = encoded(music(1, 8000, 8000), 8000, "mulaw.wav", 64_000)
    outside = Path("/tmp/saga-sr-was-here.wav")
    for name in (
        "../../../../tmp/saga-sr-was-here.wav",
        "..\\..\\evil.wav",
        "/tmp/saga-sr-was-here.wav",
        ".hidden.wav",
    ):
        said = raw_call(app, "add", [as_file(upload(app, "x.wav", sound + os.urandom(2)), name)])
        (recording,) = json.loads(said.split("data: ")[1].splitlines()[0])[0]
        assert recording["measured"] and "/" not in recording["name"] and not recording["name"].startswith(".")
    assert not outside.exists()


def test_results_go_only_where_the_app_may_write(client: Client, app: App, tmp_path: Path) -> None:
    from gradio_client import handle_file

    source = tmp_path / "old.wav"
    soundfile.write(source, music(1, 8000, 8000).T, 8000)
    (recording,) = client.predict([handle_file(str(source))], api_name="/add")
    client.predict([recording["id"]], "", "fast", api_name="/enhance")
    for folder in (str(tmp_path), f"{app.folder}/..", "/", "~"):
        with pytest.raises(Exception, match="lies in no folder"):
            client.predict(folder, "wav", api_name="/save_into")
    (saved,) = client.predict(str(app.folder), "wav", api_name="/save_into")
    assert Path(saved) == app.folder / "old.wav" and soundfile.info(saved).duration == 1
    with pytest.raises(Exception, match="is there already"):
        client.predict(str(app.folder), "wav", api_name="/save_into")


def test_another_user_sees_nothing_of_it(client: Client, app: App, tmp_path: Path) -> None:
    from gradio_client import Client, handle_file

    source = tmp_path / "mine.wav"
    soundfile.write(source, music(1, 8000, 8000).T, 8000)
    (recording,) = client.predict([handle_file(str(source))], api_name="/add")
    other = Client(app.address, verbose=False)
    assert other.predict(api_name="/recordings") == []
    for endpoint in ("/remove", "/save", "/command"):
        with pytest.raises(Exception, match="no such recording"):
            other.predict(recording["id"], api_name=endpoint)
    assert len(client.predict(api_name="/recordings")) == 1
    other.close()


def test_what_others_can_ask_of_the_server(app: App) -> None:
    def status(path: str, **headers: str) -> int:
        return httpx.get(app.address + path, headers=headers).status_code

    assert status("") == 200
    assert status("", Host="evil.example") == 421  # a name that leads here
    assert status("config", Origin="http://evil.example") == 403
    for path in ("gradio_api/file=/etc/passwd", "gradio_api/file=http://127.0.0.1:9/", "gradio_api/proxy=http://x/",
                 "gradio_api/file=../app.log", "saga/static/../../site.py", "saga/static/%2e%2e/site.py",
                 "saga/audio/x/input/0.wav", "saga/download/x", "saga/audio/..%2f..%2f/input/0.wav"):  # fmt: skip
        assert status(path) in (403, 404), path
    policy = httpx.get(app.address).headers["content-security-policy"]
    assert "default-src 'self'" in policy and "http" not in policy


def test_a_page_with_script_in_names_and_tags_shows_them_as_they_are(
    visits: Callable[..., Visit], app: App, tmp_path: Path
) -> None:
    import mutagen.flac

    source = app.folder / f"{SCRIPT.replace('/', '')}.flac"
    soundfile.write(source, music(2, 8000, 8000).T, 8000)
    tagged = mutagen.flac.FLAC(source)
    tagged["title"] = [SCRIPT]
    tagged.save()
    visit = visits()
    visit.add(source)
    visit.see(source.name)
    visit.press("Enhance")
    visit.see(re.compile("done in"))
    saved = visit.saved("Save", tmp_path)
    assert mutagen.flac.FLAC(saved)["title"] == [SCRIPT]
    assert visit.page.evaluate("window.stolen") is None


def test_a_closed_page_leaves_nothing_behind(visits: Callable[..., Visit], app: App, tmp_path: Path) -> None:
    source = tmp_path / "gone.wav"
    soundfile.write(source, music(1, 8000, 8000).T, 8000)
    visit = visits()
    visit.add(source)
    (root,) = Path("/tmp").glob(f"saga-sr-app-*/workspaces/*/*/{source.name}")
    visit.page.close()
    within(60, lambda: not root.exists() and not root.parents[1].exists())


def test_an_app_for_others_asks_for_a_password(
    chromium: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAGA_SR_PASSWORD", "open sesame")
    source = tmp_path / "old.wav"
    soundfile.write(source, music(1, 8000, 8000).T, 8000)
    with running_app(tmp_path, "host=0.0.0.0") as app:
        for given, status in ((None, 401), ("sesame", 401), ("open sesame", 200)):
            known = {"http_credentials": {"username": "anyone", "password": given}} if given else {}
            context = chromium.new_context(locale="en-GB", **known)
            answer = context.request.get(app.address)
            assert answer.status == status
            if status == 401:  # which makes a browser ask
                assert answer.headers["www-authenticate"].startswith("Basic")
            else:
                visit = Visit(context.new_page(), app.address)
                visit.page.goto(app.address)
                visit.add(source)
                visit.press("Enhance")
                visit.see(re.compile("done in"))
            context.close()


def test_limits_of_size_length_number_and_time(tmp_path_factory: pytest.TempPathFactory) -> None:
    from gradio_client import Client, handle_file

    folder = tmp_path_factory.mktemp("limited")
    long, short = folder / "long.wav", folder / "short.wav"
    soundfile.write(long, music(1, 30_000, 8000).T, 8000)
    soundfile.write(short, music(1, 8000, 8000).T, 8000)
    words = ("upload_mb=0.1", "length_s=3", "recordings=2", "compute_s=0.01")
    with running_app(folder, *words) as app:
        assert httpx.post(f"{app.address}gradio_api/upload", files={"files": ("x", bytes(200_000))}).status_code == 413
        client = Client(app.address, verbose=False)
        added = client.predict([handle_file(str(long)), handle_file(str(short))], api_name="/add")
        assert "more than the 0:03.0 that this app takes" in added[0]["failure"]
        with pytest.raises(Exception, match="as many as this app takes"):
            client.predict([handle_file(str(short))], api_name="/add")
        client.predict([added[1]["id"]], "", "fast", api_name="/enhance")
        with pytest.raises(Exception, match="are used up"):
            client.predict([added[1]["id"]], "", "fast", api_name="/enhance")
        client.close()
