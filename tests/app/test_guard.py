"""What no request to the app gets past."""

from __future__ import annotations

import base64

import pytest

pytest.importorskip("starlette", reason="needs the extra: pip install -e '.[app]'")

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from saga_sr.app.guard import Guard

INSIDE = Starlette(routes=[Route("/{path:path}", lambda request: PlainTextResponse("inside"))])


def status(guard: Guard, path: str = "/x", **headers: str) -> int:
    """What a request is answered with."""
    client = TestClient(guard, base_url="http://127.0.0.1:7860", follow_redirects=False)
    return client.get(path, headers=headers).status_code


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"anyone:{password}".encode()).decode()


def test_the_password_is_asked_for_everywhere() -> None:
    guard = Guard(INSIDE, "sesame", is_public=True)
    for path in ("/", "/gradio_api/upload", "/saga/audio/x/input/0.wav", "/assets/index.js"):
        assert status(guard, path) == 401
        assert status(guard, path, Authorization=basic("open")) == 401
        assert status(guard, path, Authorization="Basic ???") == 401
        assert status(guard, path, Authorization=basic("sesame")) == 200


def test_no_other_site_can_use_it() -> None:
    guard = Guard(INSIDE, None, is_public=False)
    assert status(guard) == 200
    assert status(guard, Host="localhost:7860") == 200
    assert status(guard, Host="evil.example:7860") == 421
    assert status(guard, Origin="http://127.0.0.1:7860") == 200
    assert status(guard, Origin="http://evil.example") == status(guard, Origin="null") == 403


def test_reports_can_do_nothing_but_be_looked_at_within_the_app() -> None:
    client = TestClient(Guard(INSIDE, None, is_public=False), base_url="http://127.0.0.1:7860")
    policy = client.get("/saga/report/x").headers["content-security-policy"]
    assert policy.startswith("sandbox; default-src 'none'") and "allow-" not in policy and "http" not in policy
    assert "frame-ancestors 'self'" in policy and "script" not in policy
    assert "frame-ancestors 'none'" in client.get("/saga/reports").headers["content-security-policy"]


def test_chinese_browsers_are_led_to_the_chinese_pages() -> None:
    guard = Guard(INSIDE, None, is_public=False)
    assert status(guard, "/", **{"Accept-Language": "zh-CN,zh;q=0.9"}) == 307
    assert status(guard, "/?lang", **{"Accept-Language": "zh-CN,zh;q=0.9"}) == 200
    assert status(guard, "/", **{"Accept-Language": "en,zh;q=0.5"}) == 200
