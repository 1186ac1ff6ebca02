"""Models published to a hub and fetched from it, by the real client against a stand-in on this machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from audiosr_checkpoint import write_checkpoint
from hub_server import READ_ONLY, TOKEN, Hub, Repository
from programs import environment, program

from saga_sr.backbones.audiosr_unet import AudioSRUNet
from saga_sr.codecs.audiosr import AudioSR
from saga_sr.core.errors import PackageError, WeightsError
from saga_sr.packages import hub as client
from saga_sr.packages.audiosr import converted
from saga_sr.packages.load import load_model
from saga_sr.packages.package import load_package
from saga_sr.training.finetuning import AUDIOSR, package_to_begin_from, weights_to_begin_from

NAME = "somebody/a-model"


@pytest.fixture
def hub() -> Iterator[Hub]:
    server = Hub()
    yield server
    server.stop()


@pytest.fixture
def here(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """The hub as this process's, whose client has read its variables when it was imported."""
    from huggingface_hub import constants

    own = constants.HUGGINGFACE_CO_URL_TEMPLATE.removeprefix(constants.ENDPOINT)
    monkeypatch.setattr(constants, "ENDPOINT", hub.address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.address + own)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # what stands in here has no such storage
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    return hub


def fetched(name: str, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """What an interpreter of its own says that loads the model `name`."""
    code = f"import saga_sr; print(saga_sr.load({name!r}).sample_rate)"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**environment(), **settings}, check=False
    )


@pytest.mark.slow
def test_a_package_is_published_by_the_command_fetched_by_its_name_and_kept(
    hub: Hub, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {
        "HF_ENDPOINT": hub.address,
        "HF_HOME": str(tmp_path / "home"),
        "HF_TOKEN": TOKEN,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_OFFLINE": "0",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    words = [f"source={package}", f"output={tmp_path / 'm'}", f"push={NAME}", "private=true"]
    done = program("-m", "saga_sr", "export", *words, fresh=True)
    assert done.returncode == 0, done.stderr
    assert f"Published as {hub.address}/{NAME}" in done.stderr and "HTTP Request" not in done.stderr
    repository = hub.repositories[NAME]
    assert repository.private and set(repository.files) == {"README.md", "config.yaml", "model.safetensors"}
    for path, data in repository.files.items():
        assert data == (tmp_path / "m" / path).read_bytes()
    # What else is there is left there.
    repository.commit({**repository.files, "samples/loud.wav": b"x", "other.bin": b"x"})
    hub.requests.clear()
    first = fetched(NAME, settings)
    assert first.stdout == "44100\n", first.stderr
    assert not any("loud" in request or "other" in request for request in hub.requests)
    for unreachable in ({"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}):
        hub.requests.clear()
        again = fetched(NAME, {**settings, **unreachable})
        assert again.stdout == "44100\n", again.stderr
        assert "not in reach" in again.stderr and f"{NAME} is taken as it was fetched before" in again.stderr
        assert not hub.requests


def publish(package: Path, private: bool = False) -> str:
    return client.publish(package, NAME, private)


def test_publishing_again_replaces_and_revisions_stay(here: Hub, package: Path, tmp_path: Path) -> None:
    assert publish(package) == f"{here.address}/{NAME}"
    repository = here.repositories[NAME]
    assert not repository.private
    old = repository.commit({**repository.files, "assets/conditioner.text/config.json": b"{}", "notes.txt": b"mine"})
    (package / "README.md").write_text("---\nlicense: mit\n---\n# A newer card\n")
    try:
        publish(package)
    finally:
        (package / "README.md").write_text("# A card\n")
    assert set(repository.files) == {"README.md", "config.yaml", "model.safetensors", "notes.txt"}
    assert "newer" in (client.fetch(NAME) / "README.md").read_text()
    assert "newer" not in (client.fetch(f"{NAME}@{old}") / "README.md").read_text()
    loaded, own = load_model(NAME).state_dict(), load_package(package).state_dict()
    assert all(tensor.equal(own[name]) for name, tensor in loaded.items())


def test_assets_are_fetched_too(here: Hub, package: Path) -> None:
    publish(package)
    repository = here.repositories[NAME]
    repository.commit({**repository.files, "assets/conditioner.text/config.json": b"{}"})
    assert (client.fetch(NAME) / "assets/conditioner.text/config.json").read_text() == "{}"


def test_code_of_a_strangers_model_does_not_run(here: Hub, package: Path, tmp_path: Path) -> None:
    publish(package)
    repository = here.repositories[NAME]
    config = yaml.safe_load(repository.files["config.yaml"])
    config["model"]["sampler"] = {"_target_": "os.system", "command": f"touch {tmp_path / 'owned'}"}
    repository.commit({**repository.files, "config.yaml": yaml.safe_dump(config).encode()})
    with pytest.raises(PackageError, match=r"asks for 'os\.system'"):
        load_model(NAME)
    assert not (tmp_path / "owned").exists()


def said(error: pytest.ExceptionInfo[PackageError]) -> str:
    text = str(error.value)
    assert "\n" not in text and text.endswith(".") and len(text) < 400
    return text


def test_what_the_hub_does_not_have_is_said(
    here: Hub, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(package, private=True)
    with pytest.raises(PackageError, match="the hub has no such model, or a private one") as error:
        load_model("somebody/else")
    said(error)
    with pytest.raises(PackageError, match=f"no revision v2 of {NAME}") as error:
        load_model(f"{NAME}@v2")
    said(error)
    here.repositories[NAME].commit({"README.md": b"of another kind"})
    with pytest.raises(PackageError, match=r"no model package of saga-sr") as error:
        load_model(NAME)
    said(error)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(PackageError, match=r"or a private one.*hf auth login") as error:
        load_model(NAME)
    said(error)


def test_no_network_and_nothing_fetched_is_said(here: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here.stop()
    with pytest.raises(PackageError, match=r"no path here, the hub is not in reach .* not fetched before") as error:
        load_model(NAME)
    said(error)
    # A path that was mistyped is not looked for on any hub.
    here.requests.clear()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outputs").mkdir()
    for path in ("outputs/demo", "./other/demo", "/no/where", "nowhere", "a/b/c"):
        with pytest.raises(PackageError, match=f"There is no model at {path}; give a model package, a run"):
            load_model(path)
    assert not here.requests


def test_who_may_not_publish_is_told(here: Hub, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PackageError, match="not a name on a hub; give push=owner/name"):
        client.check_can_publish("a-model")
    monkeypatch.setenv("HF_TOKEN", READ_ONLY)
    with pytest.raises(PackageError, match=f"does not let this user write {NAME}") as error:
        publish(package)
    said(error)
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(PackageError, match=r"does not know who asks.*hf auth login") as error:
        publish(package)
    said(error)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(PackageError, match=r"Nobody is logged in.*`hf auth login`, or set HF_TOKEN") as error:
        publish(package)
    said(error)
    assert not here.repositories
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    here.stop()
    with pytest.raises(PackageError, match=rf"could not be published \(.*the package is in {package}") as error:
        publish(package)
    said(error)


@pytest.mark.slow
def test_audiosrs_checkpoint_is_fetched_by_its_name_and_a_broken_download_named(
    here: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "packages"))
    name, file = "somebody/audiosr_basic", "pytorch_model.bin"
    whole = write_checkpoint(tmp_path / file).read_bytes()
    here.repositories[name] = Repository(private=False)
    for files, said in (
        ({}, rf"{file} of {name} cannot be fetched from the hub \(.*say the command again"),
        ({file: whole[: len(whole) // 2]}, rf"{file} cannot be read .* truncated: copy it again"),
    ):
        here.repositories[name].commit(files)
        with pytest.raises(WeightsError, match=said):
            converted(name)
    assert not list((tmp_path / "packages").glob("*/*"))
    here.repositories[name].commit({file: whole})
    package = converted(name)
    assert isinstance(load_model(package).backbone, AudioSRUNet)
    assert package_to_begin_from(name, AUDIOSR) is None
    assert weights_to_begin_from(name, AUDIOSR).read_bytes() == whole
    here.requests.clear()
    with pytest.raises(PackageError, match=r"no model package of saga-sr, .* the path that they were fetched to"):
        package_to_begin_from(name)
    assert not [request for request in here.requests if file in request]
    here.stop()
    assert package_to_begin_from(name, AUDIOSR) is None
    assert converted(name) == package and AudioSR(name).latent_dim == 512
