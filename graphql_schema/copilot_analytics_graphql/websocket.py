"""GraphQL over WebSocket: the protocol `graphql-transport-ws`, queries and subscriptions.

Close codes, as the protocol has them: 4400 a malformed message, 4401 a query before the
acknowledgment, 4403 nobody whom the application knows, or no longer, 4406 no subprotocol of ours,
4408 no `connection_init` in time, 4409 an id twice at once, 4429 a second `connection_init`; and
1009 a message that is too large.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import msgspec

from copilot_analytics.typing import Message, Receive, Scope, Send

from .access import Credentials, Gatekeeper, Principal
from .errors import RefusedError
from .execution import Executor
from .failures import describe_errors
from .headers import headers_of
from .origins import Origins
from .patience import Patience
from .rates import Slots, TooOftenError, client_address
from .requests import GraphQLRequest, request_of
from .responses import Outcome

__all__ = ["SUBPROTOCOL", "WebSocketEndpoint"]

SUBPROTOCOL = "graphql-transport-ws"

_INIT_SECONDS = 10.0
_REVOCATION_SECONDS = 5.0
"""How often it is asked whether whoever is connected may still be."""

_TURN = 32
"""Messages of one socket that are handled before others have their turn: a client may send
thousands at once, none of which is waited for."""

_MAX_OPERATIONS = 20
"""At once, on one socket."""

_MAX_SOCKETS = 1_000
"""At once: of one principal, and of one address before anybody knows whose they are."""

_MAX_FOLLOWED = 1_000
"""Subscriptions of one principal at once, on all sockets."""

_MAX_ID_CHARACTERS = 128
_MAX_REASON_BYTES = 123


class _Incoming(msgspec.Struct, frozen=True):
    type: str
    id: str | None = None
    payload: Any = None


_decoder = msgspec.json.Decoder(_Incoming)


class _Closed(Exception):
    """The conversation is over.

    Attributes:
        code: the close code to send; None where the client has gone.
        reason: what to say with it.
    """

    def __init__(self, code: int | None, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class WebSocketEndpoint:
    """Answers operations on sockets; whatever a client sends, it ends with a close code.

    Args:
        executor: runs the operations.
        gatekeeper: lets in whom the application knows.
        max_message: the most characters of a message.
        origins: whose pages may connect.
    """

    SEND_SECONDS = 30.0
    """How long a client may take nothing of what is sent to it: then its socket is given up."""

    def __init__(
        self,
        executor: Executor,
        gatekeeper: Gatekeeper,
        *,
        max_message: int,
        origins: Origins,
    ) -> None:
        self.executor = executor
        self.gatekeeper = gatekeeper
        self.max_message = max_message
        self._origins = origins
        self.unknown = Slots(_MAX_SOCKETS)
        self.known = Slots(_MAX_SOCKETS)
        self.followed = Slots(_MAX_FOLLOWED)
        self.patience = Patience(self.SEND_SECONDS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket."""
        await receive()  # websocket.connect
        if not self._origins.welcomes(headers_of(scope["headers"])):
            # A page of another origin would use the user's cookies.
            await _refuse(send)
            return
        address = client_address(scope)
        if not self.unknown.take(address):
            await _refuse(send)
            return
        conversation = _Conversation(self, scope, receive, send)
        try:
            await conversation.run()
        finally:
            if conversation.principal is None:
                self.unknown.give(address)
            else:
                self.known.give((conversation.principal.role, conversation.principal.id))


async def _refuse(send: Send) -> None:
    # Before the handshake is accepted, a close is an HTTP 403.
    await send({"type": "websocket.close", "code": 1008, "reason": ""})


class _Conversation:
    """One socket's messages."""

    def __init__(
        self, endpoint: WebSocketEndpoint, scope: Scope, receive: Receive, send: Send
    ) -> None:
        self._endpoint = endpoint
        self._scope = scope
        self._receive = receive
        self._asgi_send = send
        self._open = True
        self.principal: Principal | None = None
        self._revoked = False
        self._deadline: asyncio.Timeout | None = None
        self._guardian: asyncio.Task[None] | None = None
        self._operations: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Converse until one side ends it."""
        spoken = SUBPROTOCOL in self._scope.get("subprotocols", ())
        try:
            await self._send_asgi(
                {"type": "websocket.accept", "subprotocol": SUBPROTOCOL if spoken else None}
            )
            if not spoken:
                raise _Closed(4406, f"Speak the subprotocol {SUBPROTOCOL}")
            await self._converse()
        except _Closed as closed:
            await self._close(closed)
        finally:
            self._open = False
            tasks = [*self._operations.values(), *([self._guardian] if self._guardian else [])]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _converse(self) -> None:
        try:
            async with asyncio.timeout(_INIT_SECONDS) as deadline:
                self._deadline = deadline
                turn = 0
                while True:
                    turn += 1
                    if turn % _TURN == 0:
                        await asyncio.sleep(0)
                    message = self._read(await self._receive())
                    if message.type == "connection_init":
                        await self._init(message, deadline)
                    else:
                        await self._handle(message)
        except TimeoutError:
            if not self._open:
                raise _Closed(None) from None
            if self.principal is None:
                raise _Closed(4408, "Connection initialisation timeout") from None
            if self._revoked:
                raise _Closed(4403, "Your credentials have been revoked") from None
            raise _Closed(4403, "Your credentials have expired") from None

    def _read(self, message: Message) -> _Incoming:
        if message["type"] != "websocket.receive":
            raise _Closed(None)
        text = message.get("text")
        if text is None:
            raise _Closed(4400, "Messages are text")
        if len(text) > self._endpoint.max_message:
            raise _Closed(1009, f"A message has at most {self._endpoint.max_message:,} characters")
        try:
            return _decoder.decode(text)
        except (msgspec.DecodeError, ValueError, RecursionError):
            raise _Closed(4400, 'A message is JSON: {"type": …, "id": …, "payload": …}') from None

    async def _init(self, message: _Incoming, deadline: asyncio.Timeout) -> None:
        if self.principal is not None:
            raise _Closed(4429, "Too many initialisation requests")
        payload = message.payload
        if payload is not None and not isinstance(payload, dict):
            raise _Closed(4400, "The payload of connection_init is an object")
        gatekeeper = self._endpoint.gatekeeper
        try:
            principal = await gatekeeper.admit(Credentials(self._scope, payload))
        except TooOftenError as exc:
            raise _Closed(4403, exc.message) from None
        if principal is None:
            raise _Closed(4403, "Forbidden")
        if not self._endpoint.known.take((principal.role, principal.id)):
            raise _Closed(4403, f"{_MAX_SOCKETS:,} sockets of yours are open: close some")
        self._endpoint.unknown.give(client_address(self._scope))
        self.principal = principal
        if deadline.expired():
            # It came just too late; this lets the time-out through.
            await asyncio.sleep(0)
        left = gatekeeper.seconds_left(principal)
        loop = asyncio.get_running_loop()
        deadline.reschedule(None if left is None else loop.time() + left)
        if principal.still_valid is not None:
            self._guardian = loop.create_task(self._guard(principal, deadline))
        await self._send({"type": "connection_ack"})

    async def _guard(self, principal: Principal, deadline: asyncio.Timeout) -> None:
        """End the conversation once the principal has been revoked."""
        revoked = False
        while not revoked:
            await asyncio.sleep(_REVOCATION_SECONDS)
            revoked = await self._endpoint.gatekeeper.revoked(principal)
        self._revoked = True
        if not deadline.expired():
            deadline.reschedule(asyncio.get_running_loop().time())

    async def _handle(self, message: _Incoming) -> None:
        match message.type:
            case "ping":
                await self._send({"type": "pong"})
            case "pong":
                pass
            case "subscribe":
                await self._subscribe(message)
            case "complete":
                operation = self._operations.pop(self._id(message), None)
                if operation is not None:
                    operation.cancel()
            case _:
                raise _Closed(4400, "Unknown message type")

    def _id(self, message: _Incoming) -> str:
        if not message.id or len(message.id) > _MAX_ID_CHARACTERS:
            raise _Closed(4400, f"An id has 1 to {_MAX_ID_CHARACTERS} characters")
        return message.id

    async def _subscribe(self, message: _Incoming) -> None:
        id = self._id(message)
        principal = self.principal
        if principal is None:
            raise _Closed(4401, "Unauthorized")
        if id in self._operations:
            raise _Closed(4409, "Subscriber for this id already exists")
        try:
            self._endpoint.gatekeeper.charge(principal)
        except TooOftenError as exc:
            await self._error(id, exc)
            return
        if len(self._operations) >= _MAX_OPERATIONS:
            await self._error(
                id,
                RefusedError(
                    "LIMIT_EXCEEDED",
                    f"{_MAX_OPERATIONS} operations are under way on this socket: wait for one.",
                ),
            )
            return
        self._operations[id] = asyncio.create_task(self._run(id, message.payload, principal))

    async def _run(self, id: str, payload: object, principal: Principal) -> None:
        try:
            try:
                request = request_of(payload)
            except RefusedError as exc:
                await self._error(id, exc)
                return
            await self._answer(id, request, principal)
        except _Closed:
            # The reader hears of it by itself.
            return
        finally:
            if self._operations.get(id) is asyncio.current_task():
                del self._operations[id]

    async def _answer(self, id: str, request: GraphQLRequest, principal: Principal) -> None:
        executor = self._endpoint.executor
        if not executor.follows(request):
            outcome = await executor.run(request, principal)
            if await self._tell(id, outcome):
                await self._send({"type": "complete", "id": id})
            return
        key, followed = (principal.role, principal.id), self._endpoint.followed
        if not followed.take(key):
            why = f"You follow {_MAX_FOLLOWED:,} subscriptions already: complete one."
            await self._error(id, RefusedError("LIMIT_EXCEEDED", why))
            return
        try:
            async with aclosing(executor.follow(request, principal)) as outcomes:
                async for outcome in outcomes:
                    if not await self._tell(id, outcome):
                        break
        finally:
            followed.give(key)

    async def _tell(self, id: str, outcome: Outcome) -> bool:
        """Send what an operation came to; return whether more may follow."""
        if outcome.ran:
            payload = msgspec.Raw(outcome.body)
            await self._send({"type": "next", "id": id, "payload": payload})
        else:
            await self._send({"type": "error", "id": id, "payload": outcome.errors})
        return outcome.ran

    async def _error(self, id: str, error: RefusedError) -> None:
        await self._send(
            {"type": "error", "id": id, "payload": describe_errors([error], suggest=False)}
        )

    async def _send(self, message: dict[str, Any]) -> None:
        await self._send_asgi(
            {"type": "websocket.send", "text": msgspec.json.encode(message).decode()}
        )

    async def _send_asgi(self, message: Message) -> None:
        if not self._open:
            raise _Closed(None)
        try:
            with self._endpoint.patience.wait():
                await self._asgi_send(message)
        except TimeoutError:
            self._give_up()
            raise _Closed(None) from None
        except OSError:
            # Servers raise one of these once the client has gone.
            self._open = False
            raise _Closed(None) from None

    def _give_up(self) -> None:
        """End the conversation without another word, which nobody would take."""
        self._open = False
        deadline = self._deadline
        if deadline is not None and not deadline.expired():
            deadline.reschedule(asyncio.get_running_loop().time())

    async def _close(self, closed: _Closed) -> None:
        if closed.code is None or not self._open:
            return
        self._open = False
        reason = closed.reason.encode()[:_MAX_REASON_BYTES].decode(errors="ignore")
        try:
            with self._endpoint.patience.wait():
                await self._asgi_send(
                    {"type": "websocket.close", "code": closed.code, "reason": reason}
                )
        except OSError:
            # Gone, or it takes nothing any more, which is a TimeoutError.
            return
