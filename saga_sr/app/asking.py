"""Who asks for something, and how they are told what is wrong."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

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


def as_gradio_errors(work: Callable[..., Any]) -> Callable[..., Any]:
    """`work`, whose `SagaError`s programs are told as sentences."""
    return _told_by(work, str)


def as_toasts(work: Callable[..., Any]) -> Callable[..., Any]:
    """`work`, whose `SagaError`s are shown on the page as sentences; Gradio takes them for HTML."""
    return _told_by(work, lambda error: escape(str(error)))


def _told_by(work: Callable[..., Any], text: Callable[[SagaError], str]) -> Callable[..., Any]:
    @functools.wraps(work)
    def told(*args: Any, **kwargs: Any) -> Any:
        with _told(text):
            return work(*args, **kwargs)

    @functools.wraps(work)
    def told_each(*args: Any, **kwargs: Any) -> Iterator[Any]:
        with _told(text):
            yield from work(*args, **kwargs)

    return told_each if inspect.isgeneratorfunction(work) else told


@contextmanager
def _told(text: Callable[[SagaError], str]) -> Iterator[None]:
    try:
        yield
    except SagaError as error:
        raise gr.Error(text(error), print_exception=False) from error
