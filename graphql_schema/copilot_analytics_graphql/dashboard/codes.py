"""Codes that sign somebody in once: what `serve` and `demo` print in a link."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict

from copilot_analytics.typing import Clock

from ..access import Principal

__all__ = ["SignInCodes"]

LIFE_MS = 10 * 60_000
"""Long enough to get from a terminal to a browser."""

_MAX_CODES = 100


class SignInCodes:
    """Gives out codes, each good for one sign-in within ten minutes; keeps only their hashes.

    Args:
        clock: tells when a code is over.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._codes: OrderedDict[bytes, tuple[int, Principal]] = OrderedDict()

    def issue(self, principal: Principal) -> str:
        """Return a new code that signs a principal in."""
        code = secrets.token_urlsafe(32)
        self._codes[_digest(code)] = (self._clock.now_ms() + LIFE_MS, principal)
        if len(self._codes) > _MAX_CODES:
            self._codes.popitem(last=False)
        return code

    def redeem(self, code: str) -> Principal | None:
        """Return whom a code signs in, and forget it; None where it is none, used or over."""
        expires_at, principal = self._codes.pop(_digest(code), (0, None))
        return principal if expires_at > self._clock.now_ms() else None


def _digest(code: str) -> bytes:
    # Random and long: nothing can be learnt from how long the look-up of its hash takes.
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).digest()
