"""Links to exports: a download for a few minutes, without credentials, for who was given it.

A link is the URL of REST's export with when it ends, a keyed hash of whose it is, and a keyed hash
over all of that. It holds neither a token nor anybody's id, is good for exactly that file, and for
as long as the principal at most. Whoever has it may use it until then, also after a token has been
revoked; asked for with credentials, these have to be the same principal's.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import urlencode

import msgspec

from copilot_analytics.exporting import ExportRequest, position_text

from .access import Principal
from .signing import signing_key

__all__ = ["LINK_PARAMETERS", "ExportLinks", "Link", "LinkError"]

LIFE_MS = 5 * 60_000
"""Long enough for somebody to click on it, and to begin: a download under way goes on."""

_EXPIRES, _BY, _SIGNATURE = LINK_PARAMETERS = ("expires", "by", "signature")
"""The parameters that a link has besides those of the export."""

_BY_BYTES = 12
_SIGNATURE_BYTES = 24
_PURPOSE = b"copilot-analytics: links to exports"

_encode = msgspec.msgpack.Encoder(order="deterministic").encode


class LinkError(Exception):
    """A link that is not good.

    Attributes:
        fix: what to do, as a sentence.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.fix = f"{problem}: ask GraphQL for a new one, export {{ url }}."


class Link(msgspec.Struct, frozen=True):
    """A link that is good.

    Attributes:
        by: tells whose it is, see `ExportLinks.is_of`; no id.
        expires_at: when it ends, epoch milliseconds.
        parameters: those of the export.
    """

    by: str
    expires_at: int
    parameters: Mapping[str, str]


class ExportLinks:
    """Makes links, and says whether one is good.

    Args:
        path: where REST's export is.
        key: at least 32 bytes, the same in every process that answers; None makes a random one.

    Raises:
        SecretError: the key is too short.
    """

    def __init__(self, path: str, key: str | None = None) -> None:
        secret = signing_key("cursor_key", key)
        # The same key signs cursors, and none of these may pass for one of those.
        self._key = hmac.digest(secret, _PURPOSE, hashlib.sha256)
        self._path = path

    def url(self, request: ExportRequest, principal: Principal, now_ms: int) -> str | None:
        """Return the link to a file, an absolute path; None for those who may not export."""
        if not principal.sees_all:
            return None
        expires_at = now_ms + LIFE_MS
        if principal.expires_at is not None:
            expires_at = min(expires_at, principal.expires_at)
        parameters = {
            **_parameters(request),
            _EXPIRES: str(expires_at // 1000),
            _BY: self._digest(["by", principal.id], _BY_BYTES),
        }
        return f"{self._path}?{urlencode({**parameters, _SIGNATURE: self._sign(parameters)})}"

    def check(self, parameters: Mapping[str, str], now_ms: int) -> Link:
        """Return what the parameters of a URL say.

        Raises:
            LinkError: it has not been made here, is not as it was made, or has ended.
        """
        signed = {name: value for name, value in parameters.items() if name != _SIGNATURE}
        given = parameters.get(_SIGNATURE, "").encode("utf-8", "surrogatepass")
        if not hmac.compare_digest(given, self._sign(signed).encode()):
            raise LinkError("The link is not as it was given")
        expires_at = int(signed.pop(_EXPIRES)) * 1000
        by = signed.pop(_BY)
        if expires_at <= now_ms:
            raise LinkError("The link has ended")
        return Link(by, expires_at, signed)

    def is_of(self, link: Link, principal: Principal) -> bool:
        """Return whether a link was made for a principal."""
        return hmac.compare_digest(link.by, self._digest(["by", principal.id], _BY_BYTES))

    def _sign(self, parameters: Mapping[str, str]) -> str:
        return self._digest(["url", dict(parameters)], _SIGNATURE_BYTES)

    def _digest(self, content: object, size: int) -> str:
        digest = hmac.digest(self._key, _encode(content), hashlib.sha256)
        return base64.urlsafe_b64encode(digest[:size]).decode()


def _parameters(request: ExportRequest) -> dict[str, str]:
    parameters = {
        "startDate": request.range.first_day,
        "endDate": request.range.last_day,
        "format": request.format.value.lower(),
    }
    if request.section is not None:
        parameters["section"] = request.section.value.lower()
    if request.byte_order_mark:
        parameters["bom"] = "true"
    if request.after is not None:
        parameters["after"] = position_text(request.after)
    return parameters
