"""Sessions: who has signed in, in a cookie that scripts cannot read.

The cookie holds who it is, their role and when it ends, signed with a keyed hash; never the token
that it was exchanged for. So any process with the same key knows it, also after a restart. What a
cookie cannot tell is kept in the process that it was made in: sessions that were ended, and how to
ask whether a token has been revoked.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from http.cookies import CookieError, SimpleCookie
from typing import Any

import msgspec

from copilot_analytics.errors import ConfigurationError
from copilot_analytics.typing import Clock, Scope

from ..access import Credentials, Principal, Role
from ..signing import signing_key

__all__ = ["COOKIE", "Sessions"]

COOKIE = "copilot_analytics_session"

_PURPOSE = b"copilot-analytics: sessions"
_MAX_HOURS = 24 * 30
_MAX_COOKIE = 4_096
_MAX_KEPT = 10_000
"""Of ended sessions and of those whose token may be revoked; the oldest are forgotten."""

_HOUR_MS = 3_600_000


class _Session(msgspec.Struct, frozen=True, array_like=True):
    number: str
    id: str
    role: Role
    expires_at: int


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Session).decode


class Sessions:
    """Begins, knows and ends sessions.

    Args:
        clock: tells when a session is over.
        key: signs them, at least 32 bytes, the same in every process that answers; None makes a
            random one, and a restart ends all sessions.
        hours: how long a session lasts; never longer than the principal that it is of.

    Raises:
        SecretError: the key is too short.
        ConfigurationError: the hours are none.
    """

    def __init__(self, clock: Clock, key: str | None = None, *, hours: float = 8.0) -> None:
        secret = signing_key("session_key", key)
        if not 0 < hours <= _MAX_HOURS:
            raise ConfigurationError(
                "session_hours", hours, f"give a number of hours up to {_MAX_HOURS}"
            )
        # The same key may sign cursors and links, and none of these may pass for a session.
        self._key = hmac.digest(secret, _PURPOSE, hashlib.sha256)
        self._clock = clock
        self._life_ms = round(hours * _HOUR_MS)
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._revocable: OrderedDict[str, Callable[[], Awaitable[bool]]] = OrderedDict()

    def begin(self, principal: Principal) -> tuple[str, Principal]:
        """Return a new session's cookie value, and the principal that it stands for."""
        expires_at = self._clock.now_ms() + self._life_ms
        if principal.expires_at is not None:
            expires_at = min(expires_at, principal.expires_at)
        session = _Session(secrets.token_urlsafe(16), principal.id, principal.role, expires_at)
        if principal.still_valid is not None:
            self._revocable[session.number] = principal.still_valid
            _bound(self._revocable)
        body = _text(_encode(session))
        return f"{body}.{self._sign(body)}", replace(principal, expires_at=expires_at)

    def end(self, scope: Scope) -> bool:
        """End the session of a request, wherever its cookie may be; return whether there was one.

        Other processes know nothing of it: there a copy of the cookie is good until it ends.
        """
        session = self._session(scope)
        if session is None:
            return False
        self._ended[session.number] = None
        _bound(self._ended)
        self._revocable.pop(session.number, None)
        return True

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """Tell whose session a request brings: an authenticator, see `access.py`."""
        session = self._session(credentials.scope)
        if session is None:
            return None

        async def still_valid() -> bool:
            if session.number in self._ended:
                return False
            revocable = self._revocable.get(session.number)
            return revocable is None or await revocable()

        if not await still_valid():
            return None
        return Principal(session.id, session.role, session.expires_at, still_valid)

    def _session(self, scope: Scope) -> _Session | None:
        """Return the session of a request's cookie; None without one, and for one that is over."""
        body, _, signature = _cookie(scope).partition(".")
        if not hmac.compare_digest(signature.encode(), self._sign(body).encode()):
            return None
        try:
            session = _decode(_bytes(body))
        except (msgspec.MsgspecError, ValueError):
            return None
        over = session.expires_at <= self._clock.now_ms() or session.number in self._ended
        return None if over else session

    def _sign(self, body: str) -> str:
        return _text(hmac.digest(self._key, body.encode(), hashlib.sha256))


def _cookie(scope: Scope) -> str:
    """Return the value of our cookie; empty where there is none, or none that can be one."""
    for name, value in scope.get("headers", ()):
        if name != b"cookie" or COOKIE.encode() not in value:
            continue
        try:
            found = SimpleCookie(value.decode("ascii")).get(COOKIE)
        except (CookieError, UnicodeDecodeError):
            continue
        if found is not None and len(found.value) <= _MAX_COOKIE:
            return found.value
    return ""


def _bound(kept: OrderedDict[str, Any]) -> None:
    if len(kept) > _MAX_KEPT:
        kept.popitem(last=False)


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars="-_", validate=True)
