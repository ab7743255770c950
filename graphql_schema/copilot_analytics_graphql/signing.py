"""The key that an endpoint signs with what it hands out: the application's, or a random one."""

from __future__ import annotations

import secrets

from copilot_analytics.errors import SecretError

__all__ = ["signing_key"]

_MIN_BYTES = 32
"""256 bits in the densest encoding; `secrets.token_urlsafe(32)` gives 43 characters."""


def signing_key(setting: str, given: str | None) -> bytes:
    """Return the bytes of a key; random ones, which end with the process, where none is given.

    Args:
        setting: what the application calls it.
        given: at least 32 bytes, or None.

    Raises:
        SecretError: it is too short.
    """
    if given is None:
        return secrets.token_bytes(_MIN_BYTES)
    key = given.encode("utf-8", "surrogatepass")
    if len(key) < _MIN_BYTES:
        raise SecretError(
            setting, f"is only {len(key)} bytes long", f"give at least {_MIN_BYTES} random bytes"
        )
    return key
