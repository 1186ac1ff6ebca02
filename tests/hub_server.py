"""A stand-in for a model hub on this machine: as much of its HTTP interface as publishing and fetching a model take.

Written after what `huggingface_hub` sends. Repositories have one branch, `main`, and a revision for each commit.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN, READ_ONLY = "hf_writer", "hf_reader"
Files = dict[str, bytes]


@dataclass
class Repository:
    private: bool
    commits: list[tuple[str, Files]] = field(default_factory=lambda: [("0" * 40, {})])

    @property
    def files(self) -> Files:
        return self.commits[-1][1]

    def at(self, revision: str) -> tuple[str, Files] | None:
        if revision == "main":
            return self.commits[-1]
        return next((commit for commit in self.commits if commit[0] == revision), None)

    def commit(self, files: Files) -> str:
        self.commits.append((hashlib.sha1(repr((len(self.commits), sorted(files))).encode()).hexdigest(), files))
        return self.commits[-1][0]


class Hub:
    """Serves until `stop`; `requests` are the paths that were asked for."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.large: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.stopped = False
        handler = type("Handler", (_Handler,), {"hub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.stopped = True
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._route("GET")

    def do_HEAD(self) -> None:
        self._route("HEAD")

    def do_POST(self) -> None:
        self._route("POST")

    def do_PUT(self) -> None:
        self._route("PUT")

    def _route(self, method: str) -> None:
        if self.hub.stopped:  # a connection that was kept
            self.close_connection = True
            return
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append(f"{method} {path}")
        self.body = self._read_body()
        for pattern, answer in ROUTES:
            if match := re.fullmatch(pattern, f"{method} {path}"):
                return answer(self, *match.groups())
        self._say(404, {"error": f"{method} {path} is not served here"})

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _say(self, status: int, content: Any = b"", **headers: str) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _may(self, tokens: tuple[str, ...]) -> bool:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token in tokens:
            return True
        if token in (TOKEN, READ_ONLY):
            self._say(403, {"error": "Forbidden"})
        else:
            self._say(401, {"error": "Invalid username or password."})
        return False

    def _found(self, name: str, revision: str) -> tuple[str, Files] | None:
        """The files of a repository, unless an answer was given instead."""
        repository = self.hub.repositories.get(name)
        known = self.headers.get("Authorization", "").removeprefix("Bearer ") in (TOKEN, READ_ONLY)
        if repository is None or (repository.private and not known):
            self._say(404 if known else 401, {"error": "Repository not found"}, X_Error_Code="RepoNotFound")
            return None
        commit = repository.at(revision)
        if commit is None:
            self._say(404, {"error": "Invalid rev id"}, X_Error_Code="RevisionNotFound")
        return commit

    def create(self) -> None:
        if not self._may((TOKEN,)):
            return
        asked = json.loads(self.body)
        name = f"{asked['organization']}/{asked['name']}"
        if name in self.hub.repositories:
            return self._say(409, {"error": "You already created this model repo", "url": f"{self.hub.address}/{name}"})
        private = asked.get("visibility") == "private" or asked.get("private") is True
        self.hub.repositories[name] = Repository(private)
        self._say(200, {"url": f"{self.hub.address}/{name}", "name": name})

    def info(self, name: str, revision: str | None) -> None:
        if commit := self._found(name, revision or "main"):
            self._say(200, {"id": name, "sha": commit[0], "siblings": [{"rfilename": path} for path in commit[1]]})

    def tree(self, name: str, revision: str) -> None:
        if commit := self._found(name, revision):
            entries = [
                {"type": "file", "path": path, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                for path, data in commit[1].items()
            ]
            self._say(200, entries)

    def resolve(self, name: str, revision: str, path: str) -> None:
        if commit := self._found(name, revision):
            if path not in commit[1]:
                return self._say(404, {"error": "Entry not found"}, X_Error_Code="EntryNotFound")
            data = commit[1][path]
            self._say(200, data, ETag=f'"{hashlib.sha1(data).hexdigest()}"', X_Repo_Commit=commit[0])

    def validate(self) -> None:
        self._say(200, {"errors": [], "warnings": []})

    def preupload(self, name: str, revision: str) -> None:
        def mode(path: str) -> str:
            return "lfs" if path.endswith(".safetensors") else "regular"

        files = json.loads(self.body)["files"]
        known = [{"path": f["path"], "uploadMode": mode(f["path"]), "shouldIgnore": False} for f in files]
        self._say(200, {"files": known})

    def batch(self, name: str) -> None:
        objects = [
            {**one, "actions": {"upload": {"href": f"{self.hub.address}/large/{one['oid']}", "header": {}}}}
            for one in json.loads(self.body)["objects"]
        ]
        self._say(200, {"transfer": "basic", "objects": objects})

    def upload(self, oid: str) -> None:
        self.hub.large[oid] = self.body
        self._say(200)

    def commit(self, name: str, revision: str) -> None:
        if not self._may((TOKEN,)):
            return
        repository = self.hub.repositories[name]
        files = dict(repository.files)
        for line in self.body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                files[value["path"]] = self.hub.large[value["oid"]]
            elif entry["key"] == "deletedFile":
                del files[value["path"]]
        oid = repository.commit(files)
        self._say(200, {"success": True, "commitOid": oid, "commitUrl": f"{self.hub.address}/{name}/commit/{oid}"})

    def log_message(self, format: str, *args: Any) -> None:
        pass


NAME = r"([^/]+/[^/]+)"
ROUTES = (
    (r"POST /api/repos/create", _Handler.create),
    (r"POST /api/validate-yaml", _Handler.validate),
    (rf"GET /api/models/{NAME}/tree/(.+)", _Handler.tree),
    (rf"GET /api/models/{NAME}(?:/revision/(.+))?", _Handler.info),
    (rf"POST /api/models/{NAME}/preupload/(.+)", _Handler.preupload),
    (rf"POST /api/models/{NAME}/commit/(.+)", _Handler.commit),
    (rf"POST /{NAME}\.git/info/lfs/objects/batch", _Handler.batch),
    (r"PUT /large/(.+)", _Handler.upload),
    (rf"(?:GET|HEAD) /{NAME}/resolve/([^/]+)/(.+)", _Handler.resolve),
)
