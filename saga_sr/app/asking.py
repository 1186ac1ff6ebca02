"""Who asks for something, and how they are told what is wrong."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import Any, Protocol

import gradio as gr

from saga_sr.app.words import Words
from saga_sr.core.errors import SagaError


@dataclass(frozen=True)
class Asked:
    """Who asks for something.

    Attributes:
        session: what the page, or the program, calls itself; nobody else knows it.
        user: the address that it comes from.
    """

    session: str
    user: str


def asked_by(request: gr.Request) -> Asked:
    """Who sent a request."""
    return Asked(request.session_hash or "", request.client.host if request.client else "")


class Speaking(Protocol):
    """What has pages' words."""

    words: Words


def as_gradio_errors(work: Callable[..., Any]) -> Callable[..., Any]:
    """`work`, whose `SagaError`s programs are told as sentences."""
    return _told_by(work, lambda error, *_: str(error))


def as_toasts(work: Callable[..., Any]) -> Callable[..., Any]:
    """The method `work` of a page, whose `SagaError`s are shown in its language; Gradio takes them for HTML."""

    def text(error: SagaError, page: Speaking, *_: Any) -> str:
        return escape(page.words.sentence(error))

    return _told_by(work, text)


def _told_by(work: Callable[..., Any], text: Callable[..., str]) -> Callable[..., Any]:
    """`work`, whose errors are told as `text` of them and of what it was called with."""

    @functools.wraps(work)
    def told(*args: Any, **kwargs: Any) -> Any:
        with _told(lambda error: text(error, *args)):
            return work(*args, **kwargs)

    @functools.wraps(work)
    def told_each(*args: Any, **kwargs: Any) -> Iterator[Any]:
        with _told(lambda error: text(error, *args)):
            yield from work(*args, **kwargs)

    return told_each if inspect.isgeneratorfunction(work) else told


@contextmanager
def _told(text: Callable[[SagaError], str]) -> Iterator[None]:
    try:
        yield
    except SagaError as error:
        raise gr.Error(text(error), print_exception=False) from error
