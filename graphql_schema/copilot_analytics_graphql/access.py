"""Who may ask: credentials in, a principal or nothing out. No endpoint is open.

An authenticator is any `async` callable from `Credentials` to `Principal | None`. None is answered
with 401 (HTTP) or the close code 4403 (WebSocket); an exception denies as well and is logged, by
its type only.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from copilot_analytics._guard import Guard
from copilot_analytics.errors import ConfigurationError
from copilot_analytics.typing import Clock, Scope

__all__ = [
    "Authenticate",
    "Credentials",
    "Gatekeeper",
    "Principal",
    "Role",
    "request_user",
    "static_token",
]

Role = Literal["admin", "user"]

MIN_TOKEN_BYTES = 32
"""256 bits in the densest encoding; `secrets.token_urlsafe(32)` gives 43 characters."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who may ask.

    Attributes:
        id: the id by which the application knows them; for a user, the one the copilot's sockets
            are tracked by (before any pseudonymisation).
        role: an admin sees everything, a user only their own activity.
        expires_at: when this ends, epoch milliseconds; None: never. (JWT's `exp` is in seconds.)
    """

    id: str
    role: Role
    expires_at: int | None = None

    @property
    def sees_all(self) -> bool:
        """Whether every answer may be given."""
        return self.role == "admin"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client brings.

    Attributes:
        scope: the ASGI scope of the request or of the WebSocket's handshake.
        connection_init: the payload of `connection_init`; None on HTTP, and where there is none.
    """

    scope: Scope
    connection_init: Mapping[str, Any] | None = None

    @property
    def bearer_token(self) -> str | None:
        """The token of `Authorization: Bearer …`, else of the same entry in `connection_init`."""
        for name, value in self.scope.get("headers", ()):
            if name == b"authorization":
                return _bearer(value.decode("latin-1"))
        for key, value in (self.connection_init or {}).items():
            if key.lower() == "authorization" and isinstance(value, str):
                return _bearer(value)
        return None


Authenticate = Callable[[Credentials], Awaitable[Principal | None]]
"""Tells who a client is; None for nobody."""


def _bearer(value: str) -> str | None:
    scheme, _, token = value.strip().partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def static_token(token: str, *, role: Role = "admin", id: str | None = None) -> Authenticate:
    """Return an authenticator that knows one token, of which it keeps only a hash.

    Args:
        token: at least 32 bytes, random (`python -c "import secrets;
            print(secrets.token_urlsafe(32))"`).
        role: the role of whoever brings it.
        id: their id; "admin" for an admin. A user's token needs one.

    Raises:
        ConfigurationError: the token is too short, or a user has no id.
    """
    size = len(token.encode("utf-8", "surrogatepass"))
    if size < MIN_TOKEN_BYTES:
        # The token itself is never shown, however short.
        raise ConfigurationError(
            "token", f"{size} bytes long", f"give at least {MIN_TOKEN_BYTES} random bytes"
        )
    if role == "user" and not id:
        raise ConfigurationError("id", id, "give the id of the user whose token this is")
    expected = _digest(token)
    principal = Principal(id or "admin", role)

    async def authenticate(credentials: Credentials) -> Principal | None:
        given = credentials.bearer_token
        known = given is not None and hmac.compare_digest(_digest(given), expected)
        return principal if known else None

    return authenticate


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def request_user(*, admin_scope: str = "admin") -> Authenticate:
    """Return an authenticator that trusts Starlette's `AuthenticationMiddleware`.

    Its `request.user` is the principal if it is authenticated, with `identity` as id; it is an
    admin if `request.auth.scopes` holds `admin_scope`, else a user.
    """

    async def authenticate(credentials: Credentials) -> Principal | None:
        user, auth = credentials.scope.get("user"), credentials.scope.get("auth")
        if user is None or auth is None or user.is_authenticated is not True:
            return None
        identity = user.identity
        if not isinstance(identity, str) or not identity:
            return None
        return Principal(identity, "admin" if admin_scope in auth.scopes else "user")

    return authenticate


class Gatekeeper:
    """Lets in whom the application's authenticator knows, and nobody else.

    Args:
        authenticate: the application's.
        clock: tells whether a principal has expired.

    Raises:
        ConfigurationError: there is no authenticator.
    """

    def __init__(self, authenticate: Authenticate, clock: Clock) -> None:
        if not callable(authenticate):
            raise ConfigurationError(
                "authenticate",
                authenticate,
                "no endpoint is open; pass static_token(…), request_user() or your own",
            )
        self._authenticate = authenticate
        self._clock = clock
        # Never strict: a failing authenticator denies, it does not break the endpoint.
        self._guard = Guard()

    async def admit(self, credentials: Credentials) -> Principal | None:
        """Return who it is; None for nobody, for the expired, and when that cannot be told."""
        principal: Principal | None = None
        with self._guard("graphql authenticate"):
            principal = await self._authenticate(credentials)
        # Fail closed, whatever an untyped authenticator gives.
        if not isinstance(principal, Principal) or principal.role not in ("admin", "user"):
            return None
        return None if self.expired(principal) else principal

    def expired(self, principal: Principal) -> bool:
        """Return whether a principal's time is over."""
        return principal.expires_at is not None and principal.expires_at <= self._clock.now_ms()

    def seconds_left(self, principal: Principal) -> float | None:
        """Return for how long a principal is good, in seconds; None: for good."""
        if principal.expires_at is None:
            return None
        return max(0.0, (principal.expires_at - self._clock.now_ms()) / 1000)
