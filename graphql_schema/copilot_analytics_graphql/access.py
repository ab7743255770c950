"""Who may ask: credentials in, a principal or nothing out. No endpoint is open.

An authenticator is any `async` callable from `Credentials` to `Principal | None`. None is answered
with 401 (HTTP) or the close code 4403 (WebSocket); an exception denies as well and is logged, by
its type only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from copilot_analytics._guard import Guard
from copilot_analytics.errors import ConfigurationError
from copilot_analytics.typing import Clock, Scope

from .rates import RateLimit, Throttle, client_address

__all__ = [
    "Authenticate",
    "Credentials",
    "Gatekeeper",
    "Principal",
    "Role",
]

Role = Literal["admin", "user"]
"""What somebody may see: everything, or what is their own."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who may ask.

    Attributes:
        id: the id by which the application knows them; for a user, the one the copilot's sockets
            are tracked by (before any pseudonymisation).
        role: an admin sees everything, a user only their own activity.
        expires_at: when this ends, epoch milliseconds; None: never. (JWT's `exp` is in seconds.)
        still_valid: tells whether it has been revoked before that; open sockets ask it every few
            seconds. None: it cannot be revoked.
    """

    id: str
    role: Role
    expires_at: int | None = None
    still_valid: Callable[[], Awaitable[bool]] | None = field(
        default=None, compare=False, repr=False
    )

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


class Gatekeeper:
    """Lets in whom the application's authenticator knows, and nobody else, nor too often.

    Args:
        authenticate: the application's.
        clock: tells whether a principal has expired, and how often they came.
        rate_limit: how often anybody may come; None: as often as they like.

    Raises:
        ConfigurationError: there is no authenticator.
    """

    def __init__(
        self, authenticate: Authenticate, clock: Clock, rate_limit: RateLimit | None = None
    ) -> None:
        if not callable(authenticate):
            raise ConfigurationError(
                "authenticate",
                authenticate,
                "no endpoint is open; pass static_token(…), TokenFile(…) or one of your own",
            )
        self._authenticate = authenticate
        self._clock = clock
        self._throttle = None if rate_limit is None else Throttle(rate_limit, clock)
        # Never strict: a failing authenticator denies, it does not break the endpoint.
        self._guard = Guard()

    async def admit(self, credentials: Credentials) -> Principal | None:
        """Return who it is; None for nobody, for the expired, and when that cannot be told.

        Raises:
            TooOftenError: the client's address has been denied too often; nobody was asked.
        """
        throttle = self._throttle
        address = "" if throttle is None else client_address(credentials.scope)
        # Most have never been denied anything: for them there is nothing to look up.
        suspected = throttle is not None and throttle.suspects(address)
        if throttle is not None and suspected:
            throttle.check(address, credentials.bearer_token)
        principal: Principal | None = None
        with self._guard("graphql authenticate"):
            principal = await self._authenticate(credentials)
        # Fail closed, whatever an untyped authenticator gives.
        if (
            not isinstance(principal, Principal)
            or principal.role not in ("admin", "user")
            or self.expired(principal)
        ):
            principal = None
        if throttle is not None and (suspected or principal is None):
            throttle.note(address, credentials.bearer_token, known=principal is not None)
        return principal

    def charge(self, principal: Principal) -> None:
        """Count an operation of a principal.

        Raises:
            TooOftenError: there were too many.
        """
        if self._throttle is not None:
            self._throttle.charge((principal.role, principal.id))

    async def revoked(self, principal: Principal) -> bool:
        """Return whether a principal has been revoked, or nobody can tell."""
        if principal.still_valid is None:
            return False
        valid = False
        with self._guard("graphql revocation"):
            valid = await principal.still_valid() is True
        return not valid

    def expired(self, principal: Principal) -> bool:
        """Return whether a principal's time is over."""
        return principal.expires_at is not None and principal.expires_at <= self._clock.now_ms()

    def seconds_left(self, principal: Principal) -> float | None:
        """Return for how long a principal is good, in seconds; None: for good."""
        if principal.expires_at is None:
            return None
        return max(0.0, (principal.expires_at - self._clock.now_ms()) / 1000)
