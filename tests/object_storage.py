"""An S3-compatible server on this machine, with what clients find it by."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from fsspec import get_filesystem_class
from moto.server import ThreadedMotoServer

BUCKET = "sounds"


@contextmanager
def object_storage() -> Iterator[Any]:
    """A client of a server with one empty bucket, which programs started within find, too."""
    # A line for each request is no news.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    forget_clients()
    host, port = server.get_host_and_port()
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {
                "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
                "AWS_DEFAULT_REGION": "us-east-1", "NO_PROXY": host,
            }.items():  # fmt: skip
                patch.setenv(name, value)
            client = boto3.client("s3")
            client.create_bucket(Bucket=BUCKET)
            yield client
    finally:
        server.stop()
        forget_clients()


def forget_clients() -> None:
    """Have clients made anew, which keep the server and the credentials that they have found first."""
    get_filesystem_class("s3").clear_instance_cache()


def upload(client: Any, folder: Path, prefix: str) -> str:
    """Put what lies in `folder` into the bucket; its address there."""
    for path in folder.rglob("*"):
        if path.is_file():
            client.upload_file(str(path), BUCKET, f"{prefix}/{path.relative_to(folder)}")
    return f"s3://{BUCKET}/{prefix}"


def contents(client: Any, prefix: str) -> dict[str, Any]:
    """What lies below `prefix` in the bucket, by name."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{prefix}/")
    return {found["Key"].removeprefix(f"{prefix}/"): found for page in pages for found in page.get("Contents", ())}
