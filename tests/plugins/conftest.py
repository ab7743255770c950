"""The stage on which the plugins are watched: real servers, and a client that hides nothing.

A raw client plays scenarios and keeps every byte that it is sent; the application keeps everything
that it is given. Both together are a transcript; a plugin must not change it.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
import socket
import struct
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Literal

import msgspec
import pytest
import uvicorn
from websockets.asyncio.server import Server, ServerConnection, broadcast, serve
from websockets.exceptions import ConcurrencyError
from websockets.http11 import Request, Response

from copilot_analytics.analytics import Analytics
from copilot_analytics.events import AnalyticsEvent
from copilot_analytics.periods import day_of, parse_day
from copilot_analytics.typing import ASGIApp, Message, Receive, Scope, Send

Log = list[tuple[object, ...]]
UvicornProtocol = Literal["websockets-sansio", "websockets", "wsproto"]

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
LARGE = "Müller " * 500_000  # 4 MB in UTF-8
BURST_FRAMES, BURST_SIZE = 400, 2**15
TOKENS = 50
TIMEOUT_SECONDS = 15.0


class Transcript(msgspec.Struct, frozen=True):
    """What the client was sent, how the connection ended, and what the application saw."""

    wire: bytes
    ending: str
    log: Log


# --- the client --------------------------------------------------------------------------------


class RawClient:
    """A WebSocket client that hides nothing: what it reads is what the server wrote."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.wire = bytearray()
        self.ending = "open"
        self.opcode = -1
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, port: int, path: str, *headers: str) -> RawClient:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        client = cls(reader, writer)
        lines = (
            f"GET /{path} HTTP/1.1",
            "Host: localhost",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            *headers,
            "",
            "",
        )
        writer.write("\r\n".join(lines).encode())
        client.wire += await reader.readuntil(b"\r\n\r\n")
        return client

    def send(self, opcode: int, payload: bytes, *, fin: bool = True) -> None:
        """Write a frame with a mask of zeros, which leaves the payload as it is."""
        size = len(payload)
        head = bytes([opcode | (0x80 if fin else 0)])
        if size < 126:
            head += bytes([0x80 | size])
        elif size < 2**16:
            head += bytes([0x80 | 126]) + struct.pack("!H", size)
        else:
            head += bytes([0x80 | 127]) + struct.pack("!Q", size)
        self._writer.write(head + bytes(4) + payload)

    async def read_frame(self) -> bytes:
        """Read one frame and return its payload; a ping is answered."""
        head = await self._read(2)
        self.opcode = head[0] & 0x0F
        size = head[1] & 0x7F
        if size == 126:
            size = struct.unpack("!H", await self._read(2))[0]
        elif size == 127:
            size = struct.unpack("!Q", await self._read(8))[0]
        payload = await self._read(size)
        if self.opcode == PING:
            self.send(PONG, payload)
        return payload

    async def close(self, payload: bytes = b"\x03\xe8") -> None:
        """Close with this payload (code 1000) and read what is left."""
        self.send(CLOSE, payload)
        await self.read_rest()

    async def answer_close(self) -> None:
        """Read until the server closes, in whatever way, and close as well."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionResetError):
            payload = await self.read_frame()
            while self.opcode != CLOSE:
                payload = await self.read_frame()
            self.send(CLOSE, payload)
        await self.read_rest()

    async def read_rest(self) -> None:
        """Read until the server ends the connection."""
        try:
            while chunk := await self._reader.read(2**16):
                self.wire += chunk
            self.ending = "end of file"
        except ConnectionResetError:
            self.ending = "reset"
        self._writer.close()

    def abort(self) -> None:
        """End the TCP connection with a reset."""
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()
        self.ending = "aborted"

    async def _read(self, size: int) -> bytes:
        try:
            data = await self._reader.readexactly(size)
        except asyncio.IncompleteReadError as exc:
            self.wire += exc.partial
            raise
        self.wire += data
        return data


class Stage:
    """What one scenario shares between its two ends."""

    def __init__(self) -> None:
        self.log: Log = []
        self.sent = 0
        self.done = asyncio.Event()


# --- the scenarios, as the client plays them ------------------------------------------------------

Scenario = Callable[[int, Stage], Awaitable[RawClient]]
scenarios: dict[str, Scenario] = {}
websockets_scenarios: dict[str, Scenario] = {}


def scenario(play: Scenario) -> Scenario:
    scenarios[play.__name__] = play
    websockets_scenarios[play.__name__] = play
    return play


def websockets_scenario(play: Scenario) -> Scenario:
    websockets_scenarios[play.__name__] = play
    return play


@scenario
async def echo(port: int, stage: Stage) -> RawClient:
    client = await RawClient.connect(port, "echo")
    frames = [
        (TEXT, b"hello"),
        (TEXT, b""),
        (TEXT, "Grüße 🤖".encode()),
        (TEXT, b'{"action": "message", "message": "add a supplier"}'),
        (TEXT, b'{"type": "stream_start"'),
        (BINARY, bytes(range(256))),
        (BINARY, b""),
        (TEXT, LARGE.encode()),
        (BINARY, bytes(3 * 2**20)),
    ]
    for opcode, payload in frames:
        client.send(opcode, payload)
        await client.read_frame()
    await client.close()
    return client


@scenario
async def fragments(port: int, stage: Stage) -> RawClient:
    client = await RawClient.connect(port, "echo")
    client.send(TEXT, b'{"action": ', fin=False)
    client.send(PING, b"in between")
    client.send(CONTINUATION, b'"disconnect"', fin=False)
    client.send(CONTINUATION, b"}")
    await client.read_frame()
    await client.read_frame()
    client.send(BINARY, b"\0", fin=False)
    client.send(CONTINUATION, b"")
    await client.read_frame()
    client.send(PING, b"")
    await client.read_frame()
    await client.close(b"\x0b\xb8done")
    return client


@scenario
async def no_close_code(port: int, stage: Stage) -> RawClient:
    client = await RawClient.connect(port, "echo")
    await client.close(b"")
    return client


@scenario
async def invalid_text(port: int, stage: Stage) -> RawClient:
    client = await RawClient.connect(port, "echo")
    client.send(TEXT, b"\xff\xfe")
    await client.answer_close()
    return client


@scenario
async def negotiated(port: int, stage: Stage) -> RawClient:
    client = await RawClient.connect(
        port,
        "negotiated",
        "Sec-WebSocket-Protocol: other, chat.v1",
        "Sec-WebSocket-Extensions: permessage-deflate",
    )
    client.send(TEXT, b"squeeze " * 1000)
    await client.read_frame()
    await client.close()
    return client


@scenario
async def stream(port: int, stage: Stage) -> RawClient:
    client = await RawClient.connect(port, "stream")
    client.send(TEXT, b'{"action": "message", "message": "tell me"}')
    for _ in range(TOKENS + 2):
        await client.read_frame()
    await client.close()
    return client


@scenario
async def server_closes(port: int, stage: Stage) -> RawClient:
    client = await RawClient.connect(port, "server_closes")
    await client.answer_close()
    return client


@scenario
async def sends_too_late(port: int, stage: Stage) -> RawClient:
    client = await RawClient.connect(port, "sends_too_late")
    await client.answer_close()
    return client


@scenario
async def wrong_types(port: int, stage: Stage) -> RawClient:
    client = await RawClient.connect(port, "wrong_types")
    await client.read_frame()
    await client.close()
    return client


@scenario
async def raises(port: int, stage: Stage) -> RawClient:
    client = await RawClient.connect(port, "raises")
    client.send(TEXT, b"go")
    await client.answer_close()
    return client


@scenario
async def returns(port: int, stage: Stage) -> RawClient:
    client = await RawClient.connect(port, "returns")
    await client.answer_close()
    return client


@scenario
async def client_aborts(port: int, stage: Stage) -> RawClient:
    client = await RawClient.connect(port, "echo")
    client.send(TEXT, b"and gone")
    await client.read_frame()
    client.abort()
    return client


@scenario
async def client_aborts_a_stream(port: int, stage: Stage) -> RawClient:
    client = await RawClient.connect(port, "endless")
    await client.read_frame()
    client.wire.clear()  # how much came before the abort is up to the kernel
    client.abort()
    return client


@scenario
async def slow_reader(port: int, stage: Stage) -> RawClient:
    client = await RawClient.connect(port, "burst")
    await client.read_frame()
    previous = -1
    while previous != stage.sent:  # until the application makes no more progress
        previous = stage.sent
        for _ in range(200):
            await asyncio.sleep(0)
    # First: how many frames the system's buffers take by then differs from run to run.
    stage.log.insert(0, ("held up", 0 < stage.sent < BURST_FRAMES))
    for _ in range(BURST_FRAMES - 1):
        await client.read_frame()
    await client.close()
    return client


@scenario
async def cancelled_receive(port: int, stage: Stage) -> RawClient:
    client = await RawClient.connect(port, "cancelled_receive")
    await client.read_frame()
    client.send(TEXT, b"not lost")
    await client.read_frame()
    await client.close()
    return client


@scenario
async def denied(port: int, stage: Stage) -> RawClient:
    client = await RawClient.connect(port, "denied")
    await client.read_rest()
    return client


@scenario
async def rejected(port: int, stage: Stage) -> RawClient:
    client = await RawClient.connect(port, "rejected")
    await client.read_rest()
    return client


@websockets_scenario
async def pieces(port: int, stage: Stage) -> RawClient:
    """Everything that `send` takes and every way to receive."""
    client = await RawClient.connect(port, "pieces")
    for _ in range(4):
        client.send(TEXT, "Grüße".encode(), fin=False)
        client.send(CONTINUATION, b" to all")
    client.send(BINARY, b"text after all")
    while await client.read_frame() != b"last":
        pass
    await client.close()
    return client


@websockets_scenario
async def iterable_fails(port: int, stage: Stage) -> RawClient:
    client = await RawClient.connect(port, "iterable_fails")
    await client.answer_close()
    return client


@websockets_scenario
async def abandoned_fragments(port: int, stage: Stage) -> RawClient:
    client = await RawClient.connect(port, "abandoned_fragments")
    client.send(TEXT, b"one", fin=False)
    client.send(CONTINUATION, b"two")
    await client.answer_close()
    return client


def tokens() -> list[str]:
    return [
        '{"type": "stream_start", "metadata": {"intent": "tell", "confidence": 0.9}}',
        *(f'{{"type": "stream_token", "token": "{number}"}}' for number in range(TOKENS)),
        '{"type": "stream_complete", "metadata": {"tokenCount": 50}}',
    ]


async def transcript(client: RawClient, stage: Stage) -> Transcript:
    await stage.done.wait()
    wire = re.sub(rb"(?i)\r\ndate: [^\r]*", b"", bytes(client.wire))
    return Transcript(wire, client.ending, stage.log)


Running = contextlib.AbstractAsyncContextManager[int]


async def transcripts(
    running: Running, stages: dict[str, Stage], plays: dict[str, Scenario]
) -> dict[str, Transcript]:
    """Play all scenarios on a server; the last client is still there when it stops."""
    results = {}
    async with asyncio.timeout(TIMEOUT_SECONDS):
        async with running as port:
            for name, play in plays.items():
                stage = stages["current"] = Stage()
                results[name] = await transcript(await play(port, stage), stage)
            last = stages["current"] = Stage()
            client = await RawClient.connect(port, "echo")
            client.send(TEXT, b"still here")
            await client.read_frame()
            closing = asyncio.create_task(client.answer_close())
        await closing
        results["server stops"] = await transcript(client, last)
    return results


# --- an ASGI application --------------------------------------------------------------------------


def asgi_application(stages: dict[str, Stage]) -> ASGIApp:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            raise NotImplementedError(scope["type"])
        stage = stages["current"]
        try:
            await asgi_scene(scope, receive, send, stage)
        except BaseException as exc:
            stage.log.append(("left with", type(exc).__name__))
            raise
        finally:
            stage.done.set()

    return application


async def asgi_scene(scope: Scope, receive: Receive, send: Send, stage: Stage) -> None:
    log, path = stage.log, scope["path"].lstrip("/")

    async def logged_receive() -> Message:
        message = await receive()
        log.append(("received", *sorted(message.items())))
        return message

    async def send_text(text: str) -> None:
        await send({"type": "websocket.send", "text": text})
        log.append(("sent", len(text)))

    await logged_receive()
    if path == "denied":
        headers = [(b"x-reason", b"closed today"), (b"content-type", b"text/plain")]
        await send({"type": "websocket.http.response.start", "status": 401, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": b"not you", "more_body": True})
        await send({"type": "websocket.http.response.body", "body": b", sorry"})
        return
    if path == "rejected":
        await send({"type": "websocket.close", "code": 4003})
        return
    subprotocol = "chat.v1" if path == "negotiated" else None
    await send(
        {"type": "websocket.accept", "subprotocol": subprotocol, "headers": [(b"x-app", b"1")]}
    )
    if path == "server_closes":
        await send_text("that is all")
        await send({"type": "websocket.close", "code": 4001, "reason": "bye"})
    elif path == "sends_too_late":
        await send({"type": "websocket.close"})
        await send_text("oh, and")
    elif path == "wrong_types":
        wrong: list[Any] = [{"type": "websocket.nonsense"}, {"text": "no type"}, {}, None]
        for message in wrong:
            try:
                await send(message)
            except Exception as exc:
                log.append(("refused", type(exc).__name__))
        await send_text("fine")
    elif path == "raises":
        await logged_receive()
        await send_text("oh")
        raise LookupError("alice@example.com")
    elif path == "returns":
        await send_text("done")
        return
    elif path == "burst":
        while stage.sent < BURST_FRAMES:
            await send_text("x" * BURST_SIZE)
            stage.sent += 1
    elif path == "endless":
        while True:
            await send({"type": "websocket.send", "text": tokens()[1]})
            await asyncio.sleep(0)
    elif path == "cancelled_receive":
        receiving = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        receiving.cancel()
        await asyncio.wait([receiving])
        log.append(("cancelled", receiving.cancelled()))
        await send_text("go on")
    while (message := await logged_receive())["type"] == "websocket.receive":
        if path == "stream":
            for text in tokens():
                await send_text(text)
        else:
            echo = {"text": message.get("text"), "bytes": message.get("bytes")}
            await send({"type": "websocket.send", **echo})


@contextlib.asynccontextmanager
async def uvicorn_server(
    app: ASGIApp,
    protocol: UvicornProtocol = "websockets-sansio",
    lifespan: Literal["auto", "on", "off"] = "off",
) -> AsyncIterator[int]:
    with warnings.catch_warnings(), socket.create_server(("127.0.0.1", 0)) as listener:
        # Its older implementation uses what `websockets` has deprecated, and says so itself.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.filterwarnings("ignore", "The `websockets` implementation")
        config = uvicorn.Config(
            app, ws=protocol, lifespan=lifespan, log_config=None, log_level="critical"
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        # Should it not even start, whoever waits to be let in is told so.
        serving.add_done_callback(lambda _: listener.close())
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await serving


Wrap = Callable[[Any], Any]
Transcripts = dict[str, Transcript]


def asgi_transcripts(protocol: UvicornProtocol, wrap: Wrap) -> Transcripts:
    stages: dict[str, Stage] = {}
    running = uvicorn_server(wrap(asgi_application(stages)), protocol)
    return asyncio.run(transcripts(running, stages, scenarios))


@functools.cache
def bare_asgi_transcripts(protocol: UvicornProtocol) -> Transcripts:
    return asgi_transcripts(protocol, lambda app: app)


# --- a `websockets` server ------------------------------------------------------------------------

Handler = Callable[[ServerConnection], Awaitable[None]]


def websockets_handler(stages: dict[str, Stage]) -> Handler:
    async def handler(connection: ServerConnection) -> None:
        stage = stages["current"]
        assert isinstance(connection, ServerConnection)
        try:
            await websockets_scene(connection, stage)
        except BaseException as exc:
            stage.log.append(("left with", type(exc).__name__, str(exc)))
            raise
        finally:
            stage.done.set()

    return handler


async def websockets_scene(connection: ServerConnection, stage: Stage) -> None:
    log = stage.log
    assert connection.request is not None
    path = connection.request.path.lstrip("/")
    log.append(("subprotocol", connection.subprotocol))
    if path == "server_closes":
        await connection.send("that is all")
        await connection.close(4001, "bye")
    elif path == "sends_too_late":
        await connection.close()
        await connection.send("oh, and")
    elif path == "wrong_types":
        wrong: list[Any] = [{"a": "dict"}, 1, None, [1], ["a", b"b"]]
        for message in wrong[:3]:
            try:
                await connection.send(message)
            except TypeError as exc:
                log.append(("refused", str(exc)))
        await connection.send("fine")
    elif path == "pieces":
        await websockets_pieces(connection, log)
    elif path == "iterable_fails":
        await connection.send(halfway())
    elif path == "abandoned_fragments":
        async for fragment in connection.recv_streaming():
            log.append(("received", fragment))
            return
    elif path == "raises":
        log.append(("received", await connection.recv()))
        await connection.send("oh")
        raise LookupError("alice@example.com")
    elif path == "returns":
        await connection.send("done")
        return
    elif path == "burst":
        while stage.sent < BURST_FRAMES:
            await connection.send("x" * BURST_SIZE)
            stage.sent += 1
    elif path == "endless":
        while True:
            await connection.send(tokens()[1])
            await asyncio.sleep(0)
    elif path == "cancelled_receive":
        receiving = asyncio.ensure_future(connection.recv())
        await asyncio.sleep(0)
        receiving.cancel()
        await asyncio.wait([receiving])
        log.append(("cancelled", receiving.cancelled()))
        await connection.send("go on")
    async for message in connection:
        log.append(("received", message))
        if path == "stream":
            for text in tokens():
                await connection.send(text)
        else:
            await connection.send(message)
    log.append(("closed", connection.close_code, connection.close_reason))


def halfway() -> Iterator[str]:
    yield "one"
    raise ZeroDivisionError


async def arriving(*fragments: str | bytes) -> AsyncIterator[str | bytes]:
    for fragment in fragments:
        await asyncio.sleep(0)
        yield fragment


async def websockets_pieces(connection: ServerConnection, log: Log) -> None:
    receiving = asyncio.ensure_future(connection.recv())
    await asyncio.sleep(0)
    try:
        await connection.recv()
    except ConcurrencyError as exc:
        log.append(("refused", str(exc)))
    log.append(("received", await receiving))
    log.append(("received", await connection.recv(decode=False)))
    for decode in (None, False):
        fragments = [fragment async for fragment in connection.recv_streaming(decode)]
        log.append(("received", *fragments))
    log.append(("received", await connection.recv(decode=True)))
    many: list[Any] = [
        ["a", "b", ""],
        (piece for piece in (b"a", bytearray(b"b"), memoryview(b"c"))),
        [],
        arriving("a", "b"),
        arriving(b"a", b"b"),
        arriving(),
        bytearray(b"array"),
        memoryview(b"view"),
    ]
    for message in many:
        await connection.send(message)
    await connection.send("as binary", text=False)
    await connection.send(b"as text", text=True)
    await connection.send([b"as ", b"text"], text=True)
    broadcast([connection], "to all")
    log.append(("latency", await (await connection.ping("known")) >= 0))
    await connection.send("last")


def process_request(stages: dict[str, Stage]) -> Any:
    def process(connection: ServerConnection, request: Request) -> Response | None:
        if request.path not in ("/denied", "/rejected"):
            return None
        stages["current"].done.set()
        return connection.respond(403, "not you")

    return process


def websockets_server(handler: Handler, stages: dict[str, Stage], **options: Any) -> Server:
    return serve(
        handler,
        "127.0.0.1",
        0,
        process_request=process_request(stages),
        select_subprotocol=lambda _, offered: offered[-1] if offered else None,
        max_size=2**24,
        **options,
    )


def websockets_transcripts(wrap: Wrap, **options: Any) -> Transcripts:
    stages: dict[str, Stage] = {}

    @contextlib.asynccontextmanager
    async def running() -> AsyncIterator[int]:
        handler = wrap(websockets_handler(stages))
        async with websockets_server(handler, stages, **options) as server:
            yield next(iter(server.sockets)).getsockname()[1]

    return asyncio.run(transcripts(running(), stages, websockets_scenarios))


@functools.cache
def bare_websockets_transcripts() -> Transcripts:
    return websockets_transcripts(lambda handler: handler)


# --- what the tests are given ---------------------------------------------------------------------


@pytest.fixture(scope="session", name="uvicorn_server")
def _uvicorn_server() -> Callable[..., Running]:
    """Return a context manager that serves an ASGI application and gives its port."""
    return uvicorn_server


@pytest.fixture(scope="session")
def stored_events() -> Callable[[Analytics], list[AnalyticsEvent]]:
    """Return the stored events of the day, in order."""

    def read(analytics: Analytics) -> list[AnalyticsEvent]:
        analytics.recorder.flush_blocking(TIMEOUT_SECONDS)
        today = parse_day("today", day_of(analytics.clock.now_ms()))
        with analytics.store.snapshot(today) as snapshot:
            return list(snapshot.events())

    return read


@pytest.fixture(scope="session", name="asgi_transcripts")
def _asgi_transcripts() -> Callable[[UvicornProtocol, Wrap], Transcripts]:
    """Play every scenario against a wrapped ASGI application."""
    return asgi_transcripts


@pytest.fixture(scope="session", name="bare_asgi_transcripts")
def _bare_asgi_transcripts() -> Callable[[UvicornProtocol], Transcripts]:
    """Play them without a plugin."""
    return bare_asgi_transcripts


@pytest.fixture(scope="session", name="websockets_transcripts")
def _websockets_transcripts() -> Callable[..., Transcripts]:
    """Play every scenario against a wrapped handler, with these options for `serve`."""
    return websockets_transcripts


@pytest.fixture(scope="session", name="bare_websockets_transcripts")
def _bare_websockets_transcripts() -> Callable[[], Transcripts]:
    """Play them without a plugin."""
    return bare_websockets_transcripts
