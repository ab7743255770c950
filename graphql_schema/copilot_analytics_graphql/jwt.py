"""JSON Web Tokens: who signed what, for whom, until when; OpenID Connect's ID tokens among them.

A token is believed only if all of it can be: a bare `jwt.decode` accepts tokens without an end,
for other audiences, or with any role that somebody wrote into them.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from base64 import urlsafe_b64decode
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

from copilot_analytics.errors import (
    ConfigurationError,
    MissingDependencyError,
    SecretError,
)
from copilot_analytics.typing import Clock, SystemClock

from .access import Credentials, Principal, Role

try:
    import jwt
    from jwt.exceptions import PyJWTError
except ModuleNotFoundError as error:
    raise MissingDependencyError("jwt", "jwt") from error

from .jwks import KeyRing, RemoteKeys

__all__ = ["JWTAuthenticator"]

_log = logging.getLogger("copilot_analytics.graphql")

_SECRET_BYTES: Mapping[str, int] = {"HS256": 32, "HS384": 48, "HS512": 64}
"""As long as their hash, as RFC 7518 has it."""

_PUBLIC = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
_REQUIRED = ["exp", "iat", "iss", "aud", "sub"]
_TYPES = frozenset({"jwt", "at+jwt", "application/jwt", "application/at+jwt"})
"""What a token may call itself; others, such as logout tokens, are signed by the same keys."""

_MAX_TOKEN_CHARACTERS = 8_192
_MAX_ID_BYTES = 256
_BELIEVED_MS = 60_000
"""Checking one takes 50 µs of the event loop, and a page brings the same one all the time."""

_MAX_BELIEVED = 1_000
_MAX_INSTANT = 2**40
_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)

_SAME_ROLES: Mapping[str, Role] = {"admin": "admin", "user": "user"}


class _Believed(NamedTuple):
    """What a token was found to say, and until when that is not looked at again, epoch ms."""

    principal: Principal
    until: int


class _Untrusted(Exception):
    """A token that is not believed; its text is ours and says why."""


class JWTAuthenticator:
    """An authenticator that believes the tokens of one issuer.

    A token needs `exp`, `iat`, `iss`, `aud` and `sub`, all of the right type, and a signature by
    one of the algorithms given here (never by one that the token asks for); addresses and keys in
    its header are ignored. One that was believed is not checked again for a minute, its end apart.
    Why one is refused is logged at level DEBUG, without the token.

    Args:
        issuer: `iss`, exactly.
        audience: `aud`, or several of which a token names one.
        jwks_url: where the issuer publishes its keys; fetched off the event loop and kept, see
            `RemoteKeys`. Give exactly one of `jwks_url`, `keys` and `secret`.
        keys: the public keys: a JSON Web Key Set as a dictionary.
        secret: the key of HMAC signatures, at least as long as their hash.
        algorithms: the ones accepted; `("RS256",)`, for a secret `("HS256",)`, by default.
        id_claim: the claim that holds the principal's id, by which the copilot's sockets are
            tracked.
        role_claim: the claim that holds the role, a text or a list of texts; within other claims,
            the path to it (`("realm_access", "roles")`).
        roles: the roles by the claim's values, exactly; admin wins over user.
        default_role: the role of a token with none of these values; None: it is refused.
        leeway: how far this clock and the issuer's may differ, in seconds.
        max_lifetime: the longest time between `iat` and `exp`, in seconds.
        clock: tells the time; the machine's by default.

    Raises:
        ConfigurationError: an argument cannot be used.
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str | Sequence[str],
        jwks_url: str | None = None,
        keys: Mapping[str, Any] | None = None,
        secret: str | bytes | None = None,
        algorithms: Sequence[str] | None = None,
        id_claim: str = "sub",
        role_claim: str | Sequence[str] = "role",
        roles: Mapping[str, Role] = _SAME_ROLES,
        default_role: Role | None = None,
        leeway: float = 10.0,
        max_lifetime: float = 86_400.0,
        clock: Clock | None = None,
    ) -> None:
        if not issuer:
            raise ConfigurationError("issuer", issuer, "give the token's iss, exactly")
        audiences = [audience] if isinstance(audience, str) else list(audience)
        if not audiences or not all(audiences):
            raise ConfigurationError("audience", audience, "give the token's aud")
        if sum(given is not None for given in (jwks_url, keys, secret)) != 1:
            raise ConfigurationError(
                "jwks_url, keys and secret", "all, two or none", "give exactly one of them"
            )
        for role in (*roles.values(), *(() if default_role is None else (default_role,))):
            if role not in ("admin", "user"):
                raise ConfigurationError("roles", role, 'the roles are "admin" and "user"')
        if not 0 <= leeway <= 300:
            raise ConfigurationError("leeway", leeway, "give 0 to 300 seconds")
        if not max_lifetime > 0:
            raise ConfigurationError("max_lifetime", max_lifetime, "give a number above 0")
        self._issuer = issuer
        self._audiences = audiences
        self._algorithms = _checked_algorithms(algorithms, secret)
        self._clock = clock or SystemClock()
        self._secret = secret
        self._keys: RemoteKeys | KeyRing | None = None
        if jwks_url is not None:
            self._keys = RemoteKeys(jwks_url, self._algorithms, self._clock)
        elif keys is not None:
            self._keys = _given_keys(keys, self._algorithms)
        self._id_claim = id_claim
        self._role_path = (role_claim,) if isinstance(role_claim, str) else tuple(role_claim)
        self._roles: dict[str, Role] = dict(roles)
        self._default_role: Role | None = default_role
        self._leeway = leeway
        self._believed: OrderedDict[bytes, _Believed] = OrderedDict()
        self._max_lifetime = max_lifetime

    async def __call__(self, credentials: Credentials) -> Principal | None:
        """Return whose token it is; None if there is none that can be believed."""
        token = credentials.bearer_token
        if token is None:
            return None
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        now = self._clock.now_ms()
        believed = self._believed.get(digest)
        if believed is not None and believed.until > now:
            return believed.principal
        try:
            principal = await self._principal(token)
            until = min(now + _BELIEVED_MS, principal.expires_at or 0)
            self._believed[digest] = _Believed(principal, until)
            self._believed.move_to_end(digest)
            if len(self._believed) > _MAX_BELIEVED:
                self._believed.popitem(last=False)
            return principal
        except _Untrusted as exc:
            _log.debug("a JWT was refused: %s", exc)
        except PyJWTError as exc:
            # Its text may quote the token.
            _log.debug("a JWT was refused: %s", type(exc).__name__)
        return None

    async def _principal(self, token: str) -> Principal:
        if len(token) > _MAX_TOKEN_CHARACTERS:
            raise _Untrusted("too long")
        if not _TOKEN.fullmatch(token):
            raise _Untrusted("no three parts in base64url")
        header, _ = [_object(part) for part in token.split(".")[:2]]
        algorithm, key_id = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in self._algorithms:
            raise _Untrusted("alg is not accepted")
        if key_id is not None and not isinstance(key_id, str):
            raise _Untrusted("kid is no text")
        if "crit" in header:
            raise _Untrusted("crit is not known")
        kind = header.get("typ", "JWT")
        if not isinstance(kind, str) or kind.lower() not in _TYPES:
            raise _Untrusted("typ is not accepted")
        claims = jwt.decode(
            token,
            await self._key(algorithm, key_id),
            algorithms=[algorithm],
            issuer=self._issuer,
            audience=self._audiences,
            options={
                "require": _REQUIRED,
                "enforce_minimum_key_length": True,
                # Checked here: PyJWT takes fractions and texts for times, and no clock.
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
        return Principal(self._id(claims), self._role(claims), self._expires_at(claims))

    async def _key(self, algorithm: str, key_id: str | None) -> jwt.PyJWK | str | bytes:
        if self._secret is not None:
            return self._secret
        if isinstance(self._keys, RemoteKeys):
            key = await self._keys.find(algorithm, key_id)
        else:
            key = None if self._keys is None else self._keys.find(algorithm, key_id)
        if key is None:
            raise _Untrusted("no such key")
        return key

    def _expires_at(self, claims: Mapping[str, Any]) -> int:
        """Return when a token ends, epoch ms, the leeway included."""
        now = self._clock.now_ms() / 1000
        issued, expires = _instant(claims["iat"]), _instant(claims["exp"])
        if max(issued, _instant(claims.get("nbf", issued))) > now + self._leeway:
            raise _Untrusted("not valid yet")
        if expires + self._leeway <= now:
            raise _Untrusted("expired")
        if not 0 < expires - issued <= self._max_lifetime:
            raise _Untrusted("it lives too long, or ends before it begins")
        return int((expires + self._leeway) * 1000)

    def _id(self, claims: Mapping[str, Any]) -> str:
        id = claims.get(self._id_claim)
        if not isinstance(id, str) or not 0 < _size(id) <= _MAX_ID_BYTES:
            raise _Untrusted("no id of 1 to 256 bytes")
        return id

    def _role(self, claims: Mapping[str, Any]) -> Role:
        value: object = claims
        for name in self._role_path:
            value = value.get(name) if isinstance(value, dict) else None
        values = value if isinstance(value, list) else [value]
        found: set[Role] = {
            self._roles[each] for each in values if isinstance(each, str) and each in self._roles
        }
        if not found and self._default_role is not None:
            return self._default_role
        if not found:
            raise _Untrusted("no role")
        return "admin" if "admin" in found else "user"


def _checked_algorithms(given: Sequence[str] | None, secret: str | bytes | None) -> tuple[str, ...]:
    known: frozenset[str] | Mapping[str, int] = _PUBLIC if secret is None else _SECRET_BYTES
    if given is None:
        given = ("RS256",) if secret is None else ("HS256",)
    if isinstance(given, str) or not given or not set(given) <= set(known):
        # Mixed with a public key, an HMAC algorithm would take that for its secret.
        raise ConfigurationError("algorithms", given, f"choose from {', '.join(sorted(known))}")
    if secret is not None:
        size = len(secret.encode() if isinstance(secret, str) else secret)
        least = max(_SECRET_BYTES[name] for name in given)
        if size < least:
            raise SecretError(
                "secret", f"is only {size} bytes long", f"give at least {least} random bytes"
            )
    return tuple(given)


def _given_keys(keys: Mapping[str, Any], algorithms: Sequence[str]) -> KeyRing:
    remedy = 'give a JSON Web Key Set, {"keys": […]}, with public keys for the algorithms'
    try:
        ring = KeyRing(keys, algorithms)
    except ValueError:
        raise ConfigurationError("keys", type(keys).__name__, remedy) from None
    if ring.empty:
        raise ConfigurationError("keys", f"without a key for {', '.join(algorithms)}", remedy)
    return ring


def _object(part: str) -> dict[str, Any]:
    """Return the JSON object in a token's part; what two readers could read differently is none."""
    try:
        text = urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode()
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise _Untrusted("a part is no JSON in base64url") from None
    if not isinstance(value, dict):
        raise _Untrusted("a part is no object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) < len(pairs):
        raise _Untrusted("a name is given twice")
    return unique


def _refuse_constant(name: str) -> NoReturn:
    raise _Untrusted("a number is none")


def _size(text: str) -> int:
    """Return a text's bytes; a lone surrogate, which nothing could store, makes it none."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return 0


def _instant(value: object) -> float:
    """Return a time in seconds since 1970; anything else is none."""
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not 0 < value < _MAX_INSTANT
    ):
        raise _Untrusted("a time is none")
    return float(value)
