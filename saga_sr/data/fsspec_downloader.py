"""Shards from whatever fsspec reads, for litdata's reader.

litdata has a client of its own for S3, which fetches in ranges and survives forking: that one stays.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO

from fsspec import available_protocols
from litdata.streaming.downloader import Downloader, register_downloader

from saga_sr.core.atomic_file import write_atomically
from saga_sr.core.storage import reaching, to_path

LITDATAS = ("s3", "file", "local")


class FsspecDownloader(Downloader):
    """Fetches files from the address that a `StreamingDataset` was given."""

    def download_file(self, remote_filepath: str, local_filepath: str) -> None:
        """Bring a file here, whole or not at all, unless it is there."""
        if not Path(local_filepath).exists():
            write_atomically(Path(local_filepath), _content(remote_filepath))
        self._notify_published(local_filepath)

    def download_fileobj(self, remote_filepath: str, fileobj: IO[bytes]) -> None:
        """Write what a file holds into `fileobj`."""
        fileobj.write(_content(remote_filepath))


def _content(address: str) -> bytes:
    path = to_path(address)
    with reaching(path):
        return path.read_bytes()


# In every process that reads, be it forked or not.
for scheme in available_protocols():
    if scheme not in LITDATAS:
        register_downloader(f"{scheme}://", FsspecDownloader, overwrite=True)
