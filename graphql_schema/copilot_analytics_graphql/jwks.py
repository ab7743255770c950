"""The public keys that tokens are signed with: given, or fetched from their issuer and kept.

Only asymmetric keys are taken: a symmetric or private key in a published set is a mistake, or an
attack on those who would verify with it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
import urllib.request
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from copilot_analytics.errors import ConfigurationError, MissingDependencyError
from copilot_analytics.typing import Clock

try:
    from jwt import PyJWK
    from jwt.exceptions import PyJWTError
except ModuleNotFoundError as error:
    raise MissingDependencyError("jwt", "jwt") from error

__all__ = ["KeyRing", "RemoteKeys"]

_log = logging.getLogger("copilot_analytics.graphql")

_KEY_TYPES = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
_MAX_KEYS = 100
_MAX_BYTES = 256 * 1024
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


class KeyRing:
    """Public keys by their id and the algorithm that each is for.

    Args:
        jwks: a JSON Web Key Set (RFC 7517), `{"keys": […]}`; keys in it that cannot verify one of
            the algorithms are left out.
        algorithms: the algorithms that are accepted.

    Raises:
        ValueError: it is no such set, or has more than 100 keys.
    """

    def __init__(self, jwks: object, algorithms: Sequence[str]) -> None:
        entries = jwks.get("keys") if isinstance(jwks, dict) else None
        if not isinstance(entries, list) or len(entries) > _MAX_KEYS:
            raise ValueError('no JSON Web Key Set, {"keys": […]}, of at most 100 keys')
        self._keys: dict[str, list[tuple[str | None, PyJWK]]] = {name: [] for name in algorithms}
        for entry in entries:
            for algorithm in algorithms:
                key = _verifying(entry, algorithm)
                if key is not None:
                    self._keys[algorithm].append((key.key_id, key))

    @property
    def empty(self) -> bool:
        """Whether no key can verify anything."""
        return not any(self._keys.values())

    def find(self, algorithm: str, key_id: str | None) -> PyJWK | None:
        """Return the one key of that id; without an id, the only one of the algorithm."""
        found = [
            key for known, key in self._keys.get(algorithm, ()) if key_id is None or known == key_id
        ]
        return found[0] if len(found) == 1 else None


def _verifying(entry: object, algorithm: str) -> PyJWK | None:
    """Return a set's entry as a key that verifies an algorithm; None if it is none."""
    if not isinstance(entry, dict) or entry.get("kty") != _KEY_TYPES.get(algorithm[:2]):
        return None
    if "d" in entry or entry.get("use", "sig") != "sig" or entry.get("alg", algorithm) != algorithm:
        return None
    if not isinstance(entry.get("kid", ""), str):
        return None
    try:
        return PyJWK(entry, algorithm)
    except (PyJWTError, ValueError, TypeError):
        return None


class RemoteKeys:
    """The keys that an issuer publishes, fetched off the event loop and kept.

    They are fetched again every 10 minutes, and when a token names a key that is not among them
    (keys rotate), at most once in 10 s; meanwhile, and for a day if the issuer cannot be reached,
    those that are known still hold. Belongs to one event loop at a time.

    Args:
        url: of the JSON Web Key Set: https, or http on this machine.
        algorithms: the algorithms that are accepted.
        clock: tells the keys' age.
        timeout: how long fetching may take, in seconds.
        pause: the least time between two fetches, in seconds.

    Raises:
        ConfigurationError: the URL cannot be used.
    """

    LIFETIME_MS = 600_000
    STALE_MS = 86_400_000

    def __init__(
        self,
        url: str,
        algorithms: Sequence[str],
        clock: Clock,
        *,
        timeout: float = 5.0,
        pause: float = 10.0,
    ) -> None:
        parts = urlsplit(url)
        if not parts.hostname or not (
            parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOCAL)
        ):
            raise ConfigurationError(
                "jwks_url", url, "give an https address: whoever can change it can sign tokens"
            )
        self._url = url
        self._algorithms = tuple(algorithms)
        self._clock = clock
        self._timeout = timeout
        self._pause_ms = pause * 1000
        self._ring: KeyRing | None = None
        self._fetched_ms = self._tried_ms = float("-inf")
        self._flight: asyncio.Task[None] | None = None

    async def find(self, algorithm: str, key_id: str | None) -> PyJWK | None:
        """Return the key of that id; None if the issuer has none, or could not be asked."""
        flight = self._refresh() if self._age_ms() > self.LIFETIME_MS else None
        key = self._known(algorithm, key_id)
        if key is None:
            flight = flight or self._refresh()
            if flight is not None:
                # Others wait for it, too.
                await asyncio.shield(flight)
                key = self._known(algorithm, key_id)
        return key

    def _age_ms(self) -> float:
        return self._clock.monotonic_ms() - self._fetched_ms

    def _known(self, algorithm: str, key_id: str | None) -> PyJWK | None:
        if self._ring is None or self._age_ms() > self.STALE_MS:
            return None
        return self._ring.find(algorithm, key_id)

    def _refresh(self) -> asyncio.Task[None] | None:
        """Return the fetch under way, or a new one; None if the last one was just now."""
        flight = self._flight
        if (
            flight is not None
            and not flight.done()
            and flight.get_loop() is asyncio.get_running_loop()
        ):
            return flight
        now = self._clock.monotonic_ms()
        if now - self._tried_ms < self._pause_ms:
            return None
        self._tried_ms = now
        self._flight = asyncio.create_task(self._fetch())
        return self._flight

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                jwks = await asyncio.to_thread(_download, self._url, self._timeout)
            ring = KeyRing(jwks, self._algorithms)
            if ring.empty:
                raise ValueError("no key for the algorithms")
        except (OSError, ValueError, RecursionError) as exc:
            _log.warning(
                "the keys of %s could not be fetched (%s); %s",
                urlsplit(self._url).hostname,
                type(exc).__name__,
                "nobody is let in by them" if self._ring is None else "those known are kept",
            )
            return
        self._ring, self._fetched_ms = ring, self._clock.monotonic_ms()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Takes keys from nowhere but the address that was configured."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


def _download(url: str, timeout: float) -> Any:
    """Return the JSON at an address; in a thread.

    Raises:
        OSError: it cannot be had in time.
        ValueError: it is no JSON, or too large.
    """
    deadline = time.monotonic() + timeout
    request = urllib.request.Request(url, headers={"Accept": "application/json"})
    opener = urllib.request.build_opener(_NoRedirect)
    body = bytearray()
    with opener.open(request, timeout=timeout) as response:
        while chunk := response.read1(16_384):
            body += chunk
            if len(body) > _MAX_BYTES:
                raise ValueError("more than 256 KiB")
            if time.monotonic() > deadline:
                raise TimeoutError
    return json.loads(body)
