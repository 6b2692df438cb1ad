"""A web server that answers as a test says, to show what no well-behaved BMC does."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.protocol.redfish_rack import CERTIFICATE


@dataclass
class Asked:
    method: str
    path: str
    headers: Mapping[str, str]  #: lower-case names
    body: Any


@dataclass
class Said:
    status: int = 200
    body: Any = None  #: bytes are sent as they are
    headers: dict[str, str] = field(default_factory=dict)
    hang_up: bool = False  #: after the answer, or instead of one when the status is 0


Script = Callable[[Asked], Said]


@dataclass
class ScriptedServer:
    port: int
    asked: list[Asked]
    connections: list[Any]

    def paths(self) -> list[str]:
        return [f"{item.method} {item.path}" for item in self.asked]


@contextmanager
def scripted_https(folder: Path, address: str, script: Script) -> Iterator[ScriptedServer]:
    asked: list[Asked] = []
    connections: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet

        def setup(self) -> None:
            connections.append(self.client_address)
            super().setup()

        def log_message(self, format: str, *args: object) -> None:
            pass

        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length)
            headers = {name.lower(): value for name, value in self.headers.items()}
            question = Asked(self.command, self.path, headers, json.loads(raw) if raw else None)
            asked.append(question)
            said = script(question)
            self.close_connection = said.hang_up
            if not said.status:
                return
            content = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815 - the library's names

    certificate, key = folder / "server.pem", folder / "server.key"
    key.touch(mode=0o600)
    certificate.write_bytes(CERTIFICATE.leaf_pem)
    key.write_bytes(CERTIFICATE.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = ThreadingHTTPServer((address, 0), Handler)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield ScriptedServer(server.server_address[1], asked, connections)
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
