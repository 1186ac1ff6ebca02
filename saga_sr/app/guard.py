"""What no request to the app gets past: the password, other sites' pages, and addresses elsewhere."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Browsers load nothing from elsewhere, whatever a page says. Gradio builds templates of pages as they run.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
# Reports hold all that they show, and have no script: they are shown in a frame that can do nothing else.
REPORTS = "/saga/report/"
REPORT_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}
# What Gradio would fetch from elsewhere for whoever asks.
ELSEWHERE = ("file=http", "proxy=", "file=//")
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Guard:
    """Stands before `app`.

    Args:
        password: that everyone has to give, with any name; None for none.
        is_public: whether others than this machine can reach the app; if not, it has no other name than this machine's,
            so that no site can pass for it.
    """

    def __init__(self, app: ASGIApp, password: str | None, is_public: bool) -> None:
        self._app, self._password, self._is_public = app, password, is_public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what may not pass, hand on all else."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        refused = self._refused(unquote(scope["path"]), headers)
        if refused is not None:
            await refused(scope, receive, send)
            return
        if scope["path"] == "/" and not scope["query_string"] and prefers_chinese(headers.get("accept-language", "")):
            await RedirectResponse("/zh/")(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [(name, value) for name, value in message["headers"] if name.decode().lower() not in HEADERS]
                policy = REPORT_POLICY if scope["path"].startswith(REPORTS) else POLICY
                ours = HEADERS | {"content-security-policy": policy}
                message["headers"] = kept + [(name.encode(), value.encode()) for name, value in ours.items()]
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def _refused(self, path: str, headers: Mapping[str, str]) -> PlainTextResponse | None:
        """What is answered to a request that may not pass; None if it may."""
        if not self._is_public and _host(headers.get("host", "")) not in LOOPBACK:
            return PlainTextResponse("This app answers to this machine only.", 421)
        origin = headers.get("origin")
        if origin and urlsplit(origin).netloc != headers.get("host"):
            return PlainTextResponse("Another site's page may not use this app.", 403)
        if any(sign in path for sign in ELSEWHERE):
            return PlainTextResponse("This app fetches nothing from elsewhere.", 404)
        if self._password is not None and not _has_password(headers.get("authorization", ""), self._password):
            return PlainTextResponse("A password is needed.", 401, {"www-authenticate": 'Basic realm="saga-sr"'})
        return None


def prefers_chinese(accept_language: str) -> bool:
    """Whether a browser's first language is Chinese."""
    return accept_language.strip().lower().startswith("zh")


def _host(netloc: str) -> str:
    try:
        return urlsplit(f"//{netloc}").hostname or ""
    except ValueError:
        return ""


def _has_password(authorization: str, password: str) -> bool:
    kind, _, credentials = authorization.partition(" ")
    if kind.lower() != "basic":
        return False
    try:
        given = base64.b64decode(credentials).partition(b":")[2]
    except (binascii.Error, ValueError):
        return False
    return secrets.compare_digest(given, password.encode())
