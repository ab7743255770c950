"""moto's DynamoDB as a process: prints its URL, and ends with its standard input.

Of its own, because it computes as much as the tests do, and because it takes what a busy copilot
writes only after repairs: it visits an expression by recursion, a level a change, two of its checks
look through all of the expression again at every level, each query sorts all of the table by slow
comparisons, and each value of an answer is searched for under the ten names it might have. Its own
server lists the folders of all AWS services and starts a connection and a thread with every
request; this one keeps connections, and knows of DynamoDB alone. Requests are answered one after
another: of two that add to one item at once, moto would lose one.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any, ClassVar

from moto.core.serialize import JSONSerializer
from moto.dynamodb.models.table import Table
from moto.dynamodb.parsing import validators
from moto.moto_server.werkzeug_app import create_backend_app

_CHECKS = (
    (validators.ActionCountValidator, "verify_action_counts"),
    (validators.OverlappingPathsValidator, "check_for_overlapping_paths"),
)


def _once(check: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Let a check look at whole expressions only."""

    def checked(self: Any, node: Any) -> Any:
        return node if node.parent is not None else check(self, node)

    return checked


def _all_items(table: Any) -> list[Any]:
    """Return a table's items in order of their keys, which are texts."""
    items = [item for partition in table.items.values() for item in partition.values()]
    return sorted(items, key=lambda item: (item.hash_key.value, item.range_key.value))


def _serialize_structure(self: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
    """Write a structure as moto does, but of an attribute's value only what there is."""
    if shape.name != "AttributeValue":
        _serialize_any_structure(self, serialized, value, shape, key)
        return
    written: dict[str, Any] = {}
    for name in value:
        member = shape.members[name]
        member.parent = shape
        self._serialize_structure_member(written, value, member, name)
    self._default_serialize(serialized, written, shape, key)


_serialize_any_structure = JSONSerializer._serialize_type_structure


class _Server(ThreadingHTTPServer):
    """One thread a connection."""

    request_queue_size = 128


class _Handler(BaseHTTPRequestHandler):
    """Answers with moto's application."""

    protocol_version = "HTTP/1.1"
    application: ClassVar[Any] = create_backend_app("dynamodb")
    turn: ClassVar[threading.Lock] = threading.Lock()

    def do_POST(self) -> None:
        """Answer one request."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": self.path,
            "QUERY_STRING": "",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": str(self.connection.getsockname()[1]),
            "SERVER_PROTOCOL": self.request_version,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in self.headers.items():
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
        with self.turn:
            answer = b"".join(self.application(environ, self._start))
        self._answer(answer)

    def _start(self, status: str, headers: list[tuple[str, str]], *_: object) -> Any:
        self._status, self._headers = status, headers

    def _answer(self, body: bytes) -> None:
        lines = [f"{self.protocol_version} {self._status}"]
        lines += (
            f"{name}: {value}" for name, value in self._headers if name.lower() != "content-length"
        )
        lines += (f"Content-Length: {len(body)}", "", "")
        self.wfile.write("\r\n".join(lines).encode("latin-1") + body)


def main() -> None:
    setattr(JSONSerializer, "_serialize_type_structure", _serialize_structure)  # noqa: B010
    setattr(Table, "all_items", _all_items)  # noqa: B010 - typed otherwise
    for validator, name in _CHECKS:
        setattr(validator, name, _once(getattr(validator, name)))
    sys.setrecursionlimit(100_000)
    threading.stack_size(64 * 2**20)
    server = _Server(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_port}", flush=True)  # noqa: T201
    sys.stdin.read()


if __name__ == "__main__":
    main()
