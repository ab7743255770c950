"""`/session`: who is signed in (GET), signing in (POST), signing out (DELETE).

A page of another origin can do none of it: its requests carry no cookie (SameSite=Strict), cannot
send JSON without asking first (CORS), and are refused by their `Origin`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from copilot_analytics.typing import Receive, Scope, Send

from ..access import Credentials, Gatekeeper, Principal
from ..errors import RefusedError
from ..headers import announced_length, check_content, headers_of
from ..origins import Origins
from ..patience import Patience
from ..rates import TooOftenError
from .codes import SignInCodes
from .replies import send_json
from .sessions import COOKIE, Sessions

__all__ = ["SessionEndpoint"]

_MAX_BODY = 16 * 1024
_BODY_SECONDS = 10.0

_TOKEN = re.compile(r"[\x21-\x7e]{1,8192}")
"""What can stand in a header."""

_FOREIGN = "Pages of other origins may not sign anybody in or out."


class _SignIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    token: str | None = None
    code: str | None = None


class _RefusedSignInError(Exception):
    """Nobody is signed in by this.

    Attributes:
        status: the HTTP status.
        text: why, and what to do.
        retry_after: when to come again, in seconds; None: there is no use.
    """

    def __init__(self, status: int, text: str, retry_after: int | None = None) -> None:
        super().__init__(status, text)
        self.status = status
        self.text = text
        self.retry_after = retry_after


class SessionEndpoint:
    """Answers `/session`.

    Args:
        gatekeeper: knows tokens, and whoever the host has signed in.
        sessions: begins and ends them.
        codes: those that sign somebody in once.
        secure: whether the cookie goes over https only; None: where it was made over https.
    """

    def __init__(
        self,
        gatekeeper: Gatekeeper,
        sessions: Sessions,
        codes: SignInCodes | None,
        *,
        secure: bool | None,
    ) -> None:
        self._gatekeeper = gatekeeper
        self._sessions = sessions
        self._codes = codes
        self._secure = secure
        self._origins = Origins()
        self._patience = Patience(_BODY_SECONDS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = headers_of(scope["headers"])
        try:
            if scope["method"] in ("GET", "HEAD"):
                await self._tell(scope, send)
            elif scope["method"] == "POST":
                await self._begin(scope, receive, send, headers)
            elif scope["method"] == "DELETE":
                self._check_origin(headers)
                self._sessions.end(scope)
                await send_json(scope, send, 204, None, [self._cookie(scope, "", 0)])
            else:
                raise _RefusedSignInError(405, "Use GET, POST or DELETE.")
        except TooOftenError as exc:
            await _refuse(scope, send, _RefusedSignInError(429, exc.message, exc.retry_after))
        except _RefusedSignInError as exc:
            await _refuse(scope, send, exc)

    async def _tell(self, scope: Scope, send: Send) -> None:
        principal = await self._gatekeeper.admit(Credentials(scope))
        own = await self._sessions.authenticate(Credentials(scope)) is not None
        # Nobody is no error: every visit begins with it.
        content = {"id": None} if principal is None else _told(principal, can_sign_out=own)
        await send_json(scope, send, 200, content)

    async def _begin(
        self, scope: Scope, receive: Receive, send: Send, headers: Mapping[bytes, bytes]
    ) -> None:
        self._check_origin(headers)
        try:
            check_content(headers)
        except RefusedError as exc:
            raise _RefusedSignInError(415, exc.message) from None
        asked = _parsed(await self._body(receive, headers))
        principal = await self._principal(scope, asked)
        value, signed_in = self._sessions.begin(principal)
        life = self._gatekeeper.seconds_left(signed_in)
        await send_json(
            scope,
            send,
            200,
            _told(signed_in, can_sign_out=True),
            [self._cookie(scope, value, round(life or 0))],
        )

    async def _principal(self, scope: Scope, asked: _SignIn) -> Principal:
        if asked.code is not None:
            principal = None if self._codes is None else self._codes.redeem(asked.code)
            if principal is None:
                # Counted like any other attempt without good credentials.
                await self._gatekeeper.admit(Credentials(_bare(scope, None)))
                raise _RefusedSignInError(
                    401,
                    "This sign-in link has been used, or its ten minutes are over: sign in with "
                    "the token, or start the server again for a new link.",
                )
            return principal
        token = (asked.token or "").strip()
        known = token if _TOKEN.fullmatch(token) else None
        principal = await self._gatekeeper.admit(Credentials(_bare(scope, known)))
        if principal is None or known is None:
            raise _RefusedSignInError(401, "This token is not known here, or its time is over.")
        return principal

    def _check_origin(self, headers: Mapping[bytes, bytes]) -> None:
        site = headers.get(b"sec-fetch-site", b"none")
        if site not in (b"none", b"same-origin") or not self._origins.welcomes(headers):
            raise _RefusedSignInError(403, _FOREIGN)

    async def _body(self, receive: Receive, headers: Mapping[bytes, bytes]) -> bytes:
        body, more = bytearray(), announced_length(headers) <= _MAX_BODY
        too_large = not more
        try:
            with self._patience.wait():
                while more and not too_large:
                    message = await receive()
                    body += message.get("body", b"")
                    more = message.get("more_body", False)
                    too_large = len(body) > _MAX_BODY
        except TimeoutError:
            raise _RefusedSignInError(408, "The request did not come in time.") from None
        if too_large:
            raise _RefusedSignInError(413, f"Send at most {_MAX_BODY:,} bytes.")
        return bytes(body)

    def _cookie(self, scope: Scope, value: str, life: int) -> tuple[bytes, bytes]:
        secure = scope.get("scheme") == "https" if self._secure is None else self._secure
        path = scope.get("root_path", "").rstrip("/") or "/"
        parts = [
            f"{COOKIE}={value}",
            f"Path={_path(path)}",
            f"Max-Age={life}",
            "HttpOnly",
            "SameSite=Strict",
            *(["Secure"] if secure else []),
        ]
        return (b"set-cookie", "; ".join(parts).encode())


def _parsed(body: bytes) -> _SignIn:
    try:
        asked = msgspec.json.decode(body, type=_SignIn)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        asked = None
    if asked is None or (asked.token is None) == (asked.code is None):
        raise _RefusedSignInError(400, 'Send {"token": "…"} or {"code": "…"}.')
    return asked


def _bare(scope: Scope, token: str | None) -> Scope:
    """Return a scope with one credential, this token: neither the cookie's nor the host's."""
    headers = [
        (name, value)
        for name, value in scope["headers"]
        if name not in (b"authorization", b"cookie")
    ]
    if token is not None:
        headers.append((b"authorization", b"Bearer " + token.encode("ascii")))
    bare = {**scope, "headers": headers}
    for key in ("user", "auth", "session"):
        bare.pop(key, None)
    return bare


def _path(path: str) -> str:
    # Anything else would end the attribute, and no path of a mount has it.
    return re.sub(r"[^\x21-\x3a\x3c-\x7e]", "", path)


def _told(principal: Principal, *, can_sign_out: bool) -> dict[str, Any]:
    return {
        "id": principal.id,
        "role": principal.role,
        "expiresAt": principal.expires_at,
        "canSignOut": can_sign_out,
    }


async def _refuse(scope: Scope, send: Send, refusal: _RefusedSignInError) -> None:
    again = refusal.retry_after
    more = [] if again is None else [(b"retry-after", str(again).encode())]
    if refusal.status == 405:
        more.append((b"allow", b"GET, POST, DELETE"))
    await send_json(scope, send, refusal.status, {"error": refusal.text}, more)
