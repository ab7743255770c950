"""A listening socket and the uvicorn server on it."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from uvicorn.server import HANDLED_SIGNALS

from ..errors import ConfigurationError
from ..typing import ASGIApp

__all__ = ["base_url", "listen", "running"]

PREFERRED_PORT = 8000


def listen(host: str, port: int | None) -> socket.socket:
    """Return a bound socket; without a port, on 8000 or, where that is taken, on any free one.

    Raises:
        ConfigurationError: the address cannot be listened on.
    """
    if port is not None:
        return _bind(host, port)
    try:
        return _bind(host, PREFERRED_PORT)
    except ConfigurationError:
        return _bind(host, 0)


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:  # the latter for what can be no host's name
        raise ConfigurationError("--host", host, f"it is no address here ({error})") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except (OSError, OverflowError) as error:
        listener.close()
        raise ConfigurationError(
            "--port", port, f"{host} cannot be listened on there ({error}); give another one"
        ) from error
    return listener


def base_url(listener: socket.socket) -> str:
    """Return the `http://host:port` under which a browser on this machine finds the socket."""
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """Says when it has started, also when it could not, and which signal ended it."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()
        self.signal: int | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        finally:
            self.up.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Uvicorn's own raises the signal again as soon as it has ended, which would end the process
        # before what is around the server could be closed.
        loop = asyncio.get_running_loop()
        try:
            for number in HANDLED_SIGNALS:
                loop.add_signal_handler(number, self._end, number)
        except NotImplementedError:  # Windows
            with super().capture_signals():
                yield
            return
        try:
            yield
        finally:
            for number in HANDLED_SIGNALS:
                loop.remove_signal_handler(number)

    def _end(self, number: int) -> None:
        self.signal = number
        self.handle_exit(number, None)


@asynccontextmanager
async def running(app: ASGIApp, listener: socket.socket) -> AsyncIterator[asyncio.Task[None]]:
    """Serve an app on a socket; yield the task, which ends with Ctrl-C; stop it on leaving.

    Raises:
        SystemExit: on leaving, if a signal ended it: 128 + its number.
    """
    server = _Server(
        uvicorn.Config(app, log_level="warning", lifespan="on", timeout_graceful_shutdown=5)
    )
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        up = asyncio.create_task(server.up.wait())
        await asyncio.wait({task, up}, return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        yield task
    finally:
        server.should_exit = True
        await task
        if server.signal is not None:
            # Whatever else went wrong did so because the server was ended.
            sys.exit(128 + server.signal)
