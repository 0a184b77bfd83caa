"""Finding, downloading and verifying model files, against a small Hub on this machine."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from clip_models import COMMIT, put_in_hub_cache

from photorank.utils import hub

ROOT = Path(__file__).resolve().parent.parent
FILES = {"org/name": {"model.bin": b"weights " * 1000}}


class LocalHub(BaseHTTPRequestHandler):
    """Answers as huggingface.co does for a file: its checksum, size and commit in the headers."""

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, with_body: bool) -> None:
        asked = re.fullmatch(r"/(\w+/\w+)/resolve/\w+/(.+)", self.path)
        body = FILES.get(asked[1], {}).get(asked[2]) if asked else b""
        self.send_response(404 if body is None else 200)
        self.send_header("X-Repo-Commit", COMMIT)
        if body is None:
            self.send_header("X-Error-Code", "EntryNotFound")
        self.send_header("ETag", f'"{hashlib.sha256(body or b"").hexdigest()}"')
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        if with_body and body:
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), LocalHub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def run(code: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Python in a process of its own, as huggingface_hub reads the environment when imported."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
    env = {**clean, "HF_HOME": str(home), "PYTHONPATH": str(ROOT), **environment}
    command = [sys.executable, "-c", f"from photorank.utils import hub\n{code}"]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)


def test_a_file_is_downloaded_once_and_then_found_without_a_network(
    endpoint: str, tmp_path: Path
) -> None:
    fetched = run("print(hub.fetch('org/name', ['model.bin']))", tmp_path, HF_ENDPOINT=endpoint)
    path = Path(fetched.stdout.strip())
    assert path.read_bytes() == FILES["org/name"]["model.bin"], fetched.stderr
    assert path.is_relative_to(tmp_path)
    found = run("print(hub.cached('org/name', 'model.bin'))", tmp_path, HF_HUB_OFFLINE="1")
    assert found.stdout.strip() == str(path)


def test_the_first_file_that_the_repository_has_is_taken(endpoint: str, tmp_path: Path) -> None:
    code = "print(hub.fetch('org/name', ['model.safetensors', 'model.bin']).name)"
    assert run(code, tmp_path, HF_ENDPOINT=endpoint).stdout.strip() == "model.bin"


def test_a_repository_without_the_file_is_an_error(endpoint: str, tmp_path: Path) -> None:
    code = """
try:
    hub.fetch("org/name", ["a.bin", "b.bin"])
except hub.HubError as error:
    print(error)
"""
    said = run(code, tmp_path, HF_ENDPOINT=endpoint).stdout
    assert said.strip() == (
        "org/name/a.bin or b.bin cannot be downloaded: the repository has no such file"
    )


def test_what_is_not_cached_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert hub.cached("org/name", "model.bin") is None


@pytest.mark.parametrize("dribbling", [False, True])
def test_a_hub_that_never_answers_is_noticed_in_time(
    dribbling: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = threading.Event()

    def answer_without_end() -> None:  # each byte starts the HTTP library's own timeout anew
        with server.accept()[0] as connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            while not done.wait(0.1):
                connection.sendall(b"A: b\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", endpoint)
        thread = threading.Thread(target=answer_without_end)
        if dribbling:
            thread.start()
        start = time.monotonic()
        said = hub.out_of_reach(seconds=0.4)
        assert time.monotonic() - start < 2
        done.set()
        if dribbling:
            thread.join()
    assert said is not None
    assert endpoint in said


def test_a_hub_that_answers_is_in_reach(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", endpoint)
    assert hub.out_of_reach() is None


def test_offline_mode_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert hub.out_of_reach() == "HF_HUB_OFFLINE is set"
    with pytest.raises(hub.HubError, match=r"org/name/model\.bin .* HF_HUB_OFFLINE is set"):
        hub.fetch("org/name", ["model.bin"])


def test_verify_names_file_wanted_and_got(tmp_path: Path) -> None:
    file = tmp_path / "model.bin"
    file.write_bytes(b"abc")
    right = hashlib.sha256(b"abc").hexdigest()
    hub.verify(file, right)
    hub.verify(file)  # outside the cache there is nothing to compare with
    with pytest.raises(hub.HubError) as failed:
        hub.verify(file, "0" * 64)
    assert all(part in str(failed.value) for part in (str(file), "0" * 64, right))


def test_a_damaged_blob_of_the_cache_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "model.bin"
    file.write_bytes(b"abc")
    cached = put_in_hub_cache(tmp_path / "hub", "org/name", [file]) / "model.bin"
    hub.verify(cached)
    cached.resolve().write_bytes(b"abd")
    with pytest.raises(hub.HubError, match="damaged"):
        hub.verify(cached)
