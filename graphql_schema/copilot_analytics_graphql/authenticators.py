"""Ready authenticators: one token, Starlette's `request.user`, and several of them as one."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Collection
from typing import Any

from copilot_analytics.errors import ConfigurationError, SecretError

from .access import Authenticate, Credentials, Principal, Role

__all__ = ["MIN_TOKEN_BYTES", "any_of", "check_token", "digest_of", "request_user", "static_token"]

MIN_TOKEN_BYTES = 32
"""256 bits in the densest encoding; `secrets.token_urlsafe(32)` gives 43 characters."""


def digest_of(token: str) -> bytes:
    """Return what may be kept of a token that is random and long: its SHA-256."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def check_token(setting: str, token: str) -> None:
    """Refuse a token that could be guessed, or that no client could bring.

    Raises:
        SecretError: it is shorter than 32 bytes, or is nothing that a header carries as it is.
    """
    remedy = (
        f"give at least {MIN_TOKEN_BYTES} bytes of random ASCII; "
        'python -c "import secrets; print(secrets.token_urlsafe(32))" makes one'
    )
    if not (token.isascii() and token.isprintable() and token == token.strip()):
        # Clients encode other characters in several ways, and drop spaces at the ends.
        raise SecretError(setting, "has characters that no HTTP header carries as they are", remedy)
    if len(token) < MIN_TOKEN_BYTES:
        raise SecretError(setting, f"is only {len(token)} bytes long", remedy)


def static_token(token: str, *, role: Role = "admin", id: str | None = None) -> Authenticate:
    """Return an authenticator that knows one token, of which it keeps only a hash.

    Args:
        token: at least 32 bytes, random (`python -c "import secrets;
            print(secrets.token_urlsafe(32))"`).
        role: the role of whoever brings it.
        id: their id; "admin" for an admin. A user's token needs one.

    Raises:
        SecretError: the token is too short, or is nothing that a header carries as it is.
        ConfigurationError: a user has no id.
    """
    check_token("token", token)
    if role == "user" and not id:
        raise ConfigurationError("id", id, "give the id of the user whose token this is")
    expected = digest_of(token)
    principal = Principal(id or "admin", role)

    async def authenticate(credentials: Credentials) -> Principal | None:
        given = credentials.bearer_token
        known = given is not None and hmac.compare_digest(digest_of(given), expected)
        return principal if known else None

    return authenticate


def request_user(
    *,
    admin_scope: str = "admin",
    role: Callable[[Any, Collection[str]], Role | None] | None = None,
) -> Authenticate:
    """Return an authenticator that trusts Starlette's `AuthenticationMiddleware`.

    Its `request.user` is the principal if it is authenticated, with `identity` as id.

    Args:
        admin_scope: an admin is whoever has this among `request.auth.scopes`, anybody else a user.
        role: tells the role instead, from the user and the scopes; None denies.
    """

    async def authenticate(credentials: Credentials) -> Principal | None:
        user, auth = credentials.scope.get("user"), credentials.scope.get("auth")
        if user is None or auth is None or user.is_authenticated is not True:
            return None
        identity = user.identity
        if not isinstance(identity, str) or not identity:
            return None
        if role is None:
            return Principal(identity, "admin" if admin_scope in auth.scopes else "user")
        found = role(user, auth.scopes)
        return None if found is None else Principal(identity, found)

    return authenticate


def any_of(*authenticators: Authenticate) -> Authenticate:
    """Return an authenticator that asks others, one after the other, until one knows the client.

    What one of them raises denies, whatever the others would say; so put first whoever needs no
    other server.

    Args:
        authenticators: at least one.

    Raises:
        ConfigurationError: there is none, or one is no authenticator.
    """
    if not authenticators or not all(map(callable, authenticators)):
        raise ConfigurationError(
            "authenticators", authenticators, "give at least one, each an async callable"
        )

    async def authenticate(credentials: Credentials) -> Principal | None:
        for each in authenticators:
            principal = await each(credentials)
            if principal is not None:
                return principal
        return None

    return authenticate
