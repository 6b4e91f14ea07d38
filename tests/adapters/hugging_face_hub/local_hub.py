"""A model hub on this machine: as much of the real one's HTTP interface as a download uses, and its failures."""

import hashlib
import json
import random
import re
import struct
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any, Self

PIECE_BYTES = 8192
WEIGHTS = "model.safetensors"


def make_safetensors(size: int, *, seed: int = 0) -> bytes:
    """Makes a safetensors file with one tensor of `size` random bytes."""
    header = json.dumps({"weight": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    return struct.pack("<Q", len(header)) + header + random.Random(seed).randbytes(size)


def make_model(*, seed: int = 0, weights_bytes: int = 200_000) -> dict[str, bytes]:
    """Makes the files of a small repository: what a model needs and much that it does not."""
    config = {"model_type": "llama", "max_position_embeddings": 2048, "quantization": {"bits": 4, "group_size": 64}}
    return {
        "config.json": json.dumps(config).encode(),
        "tokenizer.json": b'{"model": {}}',
        "tokenizer_config.json": b"{}",
        "chat_template.jinja": b"{{ messages }}",
        "merges.txt": b"a b\n",
        WEIGHTS: make_safetensors(weights_bytes, seed=seed),
        "README.md": b"# A model",
        "LICENSE.txt": b"MIT",
        "pytorch_model.bin": b"pickle",
        "modeling.py": b"raise SystemExit",
        "model.gguf": b"GGUF",
        "picture.png": b"PNG",
        ".gitattributes": b"*.safetensors lfs",
        "original/config.json": b"{}",
        "original/model.safetensors": b"other weights",
    }


NEEDED = {"config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "merges.txt", WEIGHTS}


@dataclass(kw_only=True)
class Request:
    """A request as it came.

    Attributes:
        file: The file asked for; None for a question about the model.
        sent_bytes: How much of the answer's body was sent.
    """

    path: str
    headers: Mapping[str, str]
    file: str | None = None
    sent_bytes: int = 0


@dataclass(kw_only=True)
class Fault:
    """What goes wrong with a file, or with questions about the model.

    Attributes:
        status: Answer with this status.
        headers: Send these headers with that status.
        cut_after: Close the connection after so many bytes of each answer.
        content: Send these bytes instead.
        ignores_range: Send the whole file to whoever asks for its end.
        redirect: Send the client to this address.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    content: bytes | None = None
    ignores_range: bool = False
    redirect: str | None = None


class Gate:
    """Holds a file back after some bytes until it is opened."""

    def __init__(self, after_bytes: int) -> None:
        self.after_bytes = after_bytes
        self.reached = Event()
        self.opened = Event()
        self.left = Event()


class LocalHub:
    """The hub: publish repositories, set faults, read what was asked of it."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._faults: dict[str, list[Fault]] = {}
        self.gates: dict[str, Gate] = {}
        self.answer_about_model: bytes | None = None
        self.pause_s = 0.0
        self._commits: dict[str, dict[str, bytes]] = {}
        self._main: dict[str, str] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def running(self) -> Iterator[Self]:
        thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            for gate in self.gates.values():
                gate.opened.set()
            self._server.shutdown()
            thread.join()
            self._server.server_close()

    def publish(self, model_id: str, files: Mapping[str, bytes]) -> str:
        """Makes these files the main branch of a repository and returns the commit."""
        digest = hashlib.sha1(model_id.encode())
        for name, content in sorted(files.items()):
            digest.update(name.encode() + content)
        commit = digest.hexdigest()
        self._commits[commit] = dict(files)
        self._main[model_id] = commit
        return commit

    def hold(self, file: str, *, after_bytes: int) -> Gate:
        """Stops sending a file after some bytes."""
        self.gates[file] = Gate(after_bytes)
        return self.gates[file]

    def fail(self, subject: str, *faults: Fault) -> None:
        """Sets what goes wrong with a file, or with questions about a model (`api`): one a request, the last for good.

        `Fault()` is none.
        """
        self._faults[subject] = list(faults)

    def requested_files(self) -> list[str]:
        return [request.file for request in self.requests if request.file is not None]

    def sent_bytes(self, file: str) -> int:
        return sum(request.sent_bytes for request in self.requests if request.file == file)

    def ranges(self, file: str) -> list[str | None]:
        return [request.headers.get("range") for request in self.requests if request.file == file]

    def content(self, commit: str, file: str) -> bytes | None:
        return self._commits.get(commit, {}).get(file)

    def describe(self, model_id: str) -> bytes | None:
        if self.answer_about_model is not None:
            return self.answer_about_model
        commit = self._main.get(model_id)
        if commit is None:
            return None
        siblings = [_describe_file(name, content) for name, content in self._commits[commit].items()]
        return json.dumps({"id": model_id, "sha": commit, "siblings": siblings}).encode()

    def take_fault(self, subject: str) -> Fault:
        faults = self._faults.get(subject, [Fault()])
        return faults.pop(0) if len(faults) > 1 else faults[0]


def _describe_file(name: str, content: bytes) -> dict[str, Any]:
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    described: dict[str, Any] = {"rfilename": name, "size": len(content), "blobId": blob}
    if name.endswith((".safetensors", ".bin", ".gguf")):
        checksum = hashlib.sha256(content).hexdigest()
        described["lfs"] = {"size": len(content), "sha256": checksum, "pointerSize": 135}
    return described


def _handler_of(hub: LocalHub) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        served = hub

    return Handler


class _Handler(BaseHTTPRequestHandler):
    served: LocalHub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        request = Request(path=path, headers={name.lower(): value for name, value in self.headers.items()})
        self.served.requests.append(request)
        if match := re.fullmatch(r"/api/models/(.+?)(/revision/.+)?", path):
            self._answer_about_model(match[1], request)
        elif match := re.fullmatch(r"/(.+)/resolve/([0-9a-f]{40})/(.+)", path):
            request.file = match[3]
            self._answer_with_file(match[2], match[3], request)
        else:
            self._answer_status(404, {})

    def _answer_about_model(self, model_id: str, request: Request) -> None:
        fault = self.served.take_fault("api")
        content = self.served.describe(model_id)
        if fault.status is not None:
            self._answer_status(fault.status, fault.headers)
        elif content is None:
            self._answer_status(404, {"X-Error-Code": "RepoNotFound"})
        else:
            self._send(200, {"Content-Type": "application/json"}, content, request)

    def _answer_with_file(self, commit: str, file: str, request: Request) -> None:
        fault = self.served.take_fault(file)
        content = fault.content if fault.content is not None else self.served.content(commit, file)
        if fault.status is not None:
            self._answer_status(fault.status, fault.headers)
        elif fault.redirect is not None:
            self._answer_status(302, {"Location": fault.redirect + self.path})
        elif content is None:
            self._answer_status(404, {"X-Error-Code": "EntryNotFound"})
        else:
            self._send_part(content, commit, fault, request)

    def _send_part(self, content: bytes, commit: str, fault: Fault, request: Request) -> None:
        wanted = None if fault.ignores_range else request.headers.get("range")
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        headers = {"X-Repo-Commit": commit, "ETag": f'"{hashlib.sha256(content).hexdigest()}"'}
        if wanted:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        gate = self.served.gates.get(request.file or "")
        self._send(206 if wanted else 200, headers, content[start:], request, cut_after=fault.cut_after, gate=gate)

    def _send(
        self,
        status: int,
        headers: Mapping[str, str],
        body: bytes,
        request: Request,
        *,
        cut_after: int | None = None,
        gate: Gate | None = None,
    ) -> None:
        self._begin(status, {**headers, "Content-Length": str(len(body))})
        end = len(body) if cut_after is None else min(cut_after, len(body))
        for start in range(0, end, PIECE_BYTES):
            if gate is not None and start >= gate.after_bytes:
                gate.reached.set()
                gate.opened.wait()
            time.sleep(self.served.pause_s)
            if not self._write(body[start : min(start + PIECE_BYTES, end)], request):
                if gate is not None:
                    gate.left.set()
                return
        self.close_connection = end < len(body)

    def _write(self, piece: bytes, request: Request) -> bool:
        try:
            self.wfile.write(piece)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
            return False
        request.sent_bytes += len(piece)
        return True

    def _answer_status(self, status: int, headers: Mapping[str, str]) -> None:
        self._begin(status, {"Content-Length": "0", **headers})

    def _begin(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass
