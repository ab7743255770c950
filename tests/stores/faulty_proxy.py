"""A proxy before a DynamoDB engine that does what networks and AWS do on a bad day.

In a test: by a script, one fault a request, or by rates from a seed.

    with FaultyProxy(engine.endpoint_url) as proxy:
        proxy.script += [Drop(), Answer.throttling()]
        proxy.rates = Rates({Drop(): 0.2, Part(): 0.05}, seed=7)

As a process, which prints its URL and ends with its standard input:

    python faulty_proxy.py UPSTREAM [--seed N] [--burst N] [--drop 0.2] [--throttle 0.05] …
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import sys
import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

_NAMESPACE = "com.amazonaws.dynamodb.v20120810#"
_HELD_SECONDS = 60.0
_KEPT = {"content-type", "date", "x-amz-crc32", "x-amzn-requestid"}


@dataclass(frozen=True)
class Pass:
    """Nothing is wrong."""


@dataclass(frozen=True)
class Drop:
    """The engine takes the request, and the answer is lost: the connection closes."""


@dataclass(frozen=True)
class Lose:
    """The request is lost: the connection closes before the engine sees it."""


@dataclass(frozen=True)
class Truncate:
    """The engine takes the request, and the connection closes in the middle of the answer."""


@dataclass(frozen=True)
class Garble:
    """The engine takes the request, and what comes back is a page of something in between."""


@dataclass(frozen=True)
class Damage:
    """The engine takes the request, and a byte of the answer changes, though not its checksum."""


@dataclass(frozen=True)
class Hold:
    """The engine takes the request, and its answer waits so many seconds, or until it is let go."""

    seconds: float = _HELD_SECONDS


@dataclass(frozen=True)
class Part:
    """A batch of several writes is written half; the rest comes back as unprocessed."""


@dataclass(frozen=True)
class Answer:
    """The engine does not see the request; this is the answer."""

    status: int
    body: str
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def error(cls, code: str, message: str = "", *, status: int = 400, **headers: str) -> Answer:
        """Return one as AWS refuses a request."""
        body = json.dumps({"__type": _NAMESPACE + code, "message": message})
        return cls(status, body, tuple(headers.items()))

    @classmethod
    def throttling(cls) -> Answer:
        """Return what a hot partition gives."""
        return cls.error(
            "ThrottlingException",
            "Throughput exceeds the current capacity of your table or index.",
        )

    @classmethod
    def conflict(cls) -> Answer:
        """Return what a write gives whose item is in a transaction."""
        return cls.error("TransactionConflictException", "Transaction is ongoing for the item")

    @classmethod
    def failure(cls) -> Answer:
        """Return what AWS gives when it fails itself."""
        return cls.error("InternalServerError", "Internal server error", status=500)


Fault = Pass | Drop | Lose | Truncate | Garble | Damage | Hold | Part | Answer


@dataclass
class Rates:
    """Which share of the requests meets which fault, the same for the same seed."""

    shares: Mapping[Fault, float] = field(default_factory=dict)
    seed: int = 0
    burst: int = 1
    """For how many requests a fault lasts."""

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._left = 0
        self._fault: Fault = Pass()

    def next(self) -> Fault:
        """Return what the next request meets."""
        if self._left == 0:
            self._fault = self._drawn()
            self._left = 1 if isinstance(self._fault, Pass) else self.burst
        self._left -= 1
        return self._fault

    def _drawn(self) -> Fault:
        number = self._random.random()
        for fault, share in self.shares.items():
            number -= share
            if number < 0:
                return fault
        return Pass()


@dataclass(frozen=True)
class Seen:
    """A request as it arrived."""

    operation: str
    body: bytes
    headers: Mapping[str, str]
    """By names in lower case."""
    port: int
    """The client's, which tells its connections apart."""


class FaultyProxy:
    """Listens on a free port while it is entered."""

    def __init__(self, upstream: str) -> None:
        self.script: deque[Fault] = deque()
        """What the next requests meet; the rates are for those after it."""
        self.rates = Rates()
        self.seen: deque[Seen] = deque(maxlen=1_000)
        """The last requests; may be cleared."""
        self.met: Counter[str] = Counter()
        """How many requests met which fault, by its class."""
        self.held = threading.Semaphore(0)
        """Released whenever an answer is held, from then on."""
        self.let_go = threading.Event()
        """Set to send what is held, at once."""
        self._upstream = upstream
        self._lock = threading.Lock()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        """The endpoint to use instead of the engine's."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.let_go.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def fault_of(self, seen: Seen) -> Fault:
        """Note a request and return what it meets."""
        with self._lock:
            self.seen.append(seen)
            fault = self.script.popleft() if self.script else self.rates.next()
            self.met[type(fault).__name__] += 1
            return fault

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection to the engine."""
        parts = urlsplit(self._upstream)
        return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_HELD_SECONDS)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, proxy: FaultyProxy) -> None:
        self.proxy = proxy
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


@dataclass(frozen=True)
class _Reply:
    status: int
    body: bytes
    headers: Mapping[str, str]


class _Handler(BaseHTTPRequestHandler):
    """One connection of a client; it has one of its own to the engine."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def setup(self) -> None:
        super().setup()
        assert isinstance(self.server, _Server)
        self._proxy = self.server.proxy
        self._engine = self._proxy.connect()

    def finish(self) -> None:
        try:
            super().finish()  # which a client that has gone makes fail
        finally:
            self._engine.close()

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing to standard error."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        operation = self.headers.get("x-amz-target", "").rpartition(".")[2]
        headers = {name.lower(): ", ".join(self.headers.get_all(name, [])) for name in self.headers}
        seen = Seen(operation, body, headers, self.client_address[1])
        fault = self._proxy.fault_of(seen)
        match fault:
            case Answer(status, text, more):
                self._reply(_Reply(status, text.encode(), dict(more)))
            case Lose():
                self.close_connection = True
            case Drop():
                self._forward(body)
                self.close_connection = True
            case Truncate():
                reply = self._forward(body)
                self._reply(reply, send=reply.body[: len(reply.body) // 2])
                self.close_connection = True
            case Damage():
                reply = self._forward(body)
                self._reply(reply, send=reply.body[:-1] + bytes([reply.body[-1] ^ 1]))
            case Garble():
                self._forward(body)
                self._reply(_Reply(200, b"<html>It works!</html>", {"content-type": "text/html"}))
            case Hold(seconds):
                reply = self._forward(body)
                self._proxy.held.release()
                self._proxy.let_go.wait(seconds)
                self._reply(reply)
            case Part() if operation == "BatchWriteItem":
                self._reply(self._forward_part(body))
            case Part() | Pass():
                self._reply(self._forward(body))

    def _forward(self, body: bytes) -> _Reply:
        headers = {
            name: value
            for name, value in self.headers.items()
            if name.lower() not in {"content-length", "connection"}
        }
        self._engine.request("POST", self.path, body, headers)
        response = self._engine.getresponse()
        kept = {name: value for name, value in response.getheaders() if name.lower() in _KEPT}
        return _Reply(response.status, response.read(), kept)

    def _forward_part(self, body: bytes) -> _Reply:
        request = json.loads(body)
        ((table, writes),) = request["RequestItems"].items()
        half = max(len(writes) // 2, 1)
        first = {**request, "RequestItems": {table: writes[:half]}}
        reply = self._forward(json.dumps(first).encode())
        told = json.loads(reply.body)
        if writes[half:]:
            told.setdefault("UnprocessedItems", {}).setdefault(table, []).extend(writes[half:])
        return _Reply(reply.status, json.dumps(told).encode(), {})

    def _reply(self, reply: _Reply, *, send: bytes | None = None) -> None:
        self.send_response_only(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body if send is None else send)


def main() -> None:
    """Run as a process."""
    by_name: dict[str, Fault] = {
        "drop": Drop(),
        "lose": Lose(),
        "truncate": Truncate(),
        "garble": Garble(),
        "damage": Damage(),
        "part": Part(),
        "throttle": Answer.throttling(),
        "conflict": Answer.conflict(),
        "fail": Answer.failure(),
    }
    parser = argparse.ArgumentParser()
    parser.add_argument("upstream")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--burst", type=int, default=1)
    for name in by_name:
        parser.add_argument(f"--{name}", type=float, default=0.0)
    given = parser.parse_args()
    with FaultyProxy(given.upstream) as proxy:
        shares = {fault: getattr(given, name) for name, fault in by_name.items()}
        proxy.rates = Rates(shares, given.seed, given.burst)
        print(proxy.url, flush=True)  # noqa: T201
        sys.stdin.read()


if __name__ == "__main__":
    main()
