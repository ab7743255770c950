"""How often somebody may ask, and how often a client may come with credentials that are none."""

from __future__ import annotations

import hashlib
import ipaddress
import math
from collections import Counter, OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from functools import lru_cache

from copilot_analytics.errors import ConfigurationError
from copilot_analytics.typing import Clock, Scope

from .errors import RefusedError

__all__ = ["Buckets", "RateLimit", "Slots", "Throttle", "TooOftenError", "client_address"]

_MAX_BUCKETS = 10_000
_MAX_KNOWN = 1_000


class TooOftenError(RefusedError):
    """Somebody came too often.

    Attributes:
        retry_after: when to come again, in whole seconds.
    """

    def __init__(self, what: str, seconds: float) -> None:
        self.retry_after = max(1, math.ceil(seconds))
        super().__init__(
            "RATE_LIMITED",
            f"{what}: come again in {self.retry_after} s, and less often.",
            retryAfter=self.retry_after,
        )


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How often the endpoint is at anybody's service; each a bucket that fills at a rate.

    Attributes:
        per_second: operations of one principal, in the long run.
        burst: operations of one principal at once, after a pause.
        denials_per_second: attempts without good credentials from one client address (of IPv6, one
            network of 64 bits), in the long run.
        denial_burst: such attempts at once, after a pause.
    """

    per_second: float = 100.0
    burst: int = 500
    denials_per_second: float = 1.0
    denial_burst: int = 60

    def __post_init__(self) -> None:
        for name in ("per_second", "burst", "denials_per_second", "denial_burst"):
            value = getattr(self, name)
            least = 1 if name.endswith("burst") else 0.001
            if not least <= value < float("inf"):
                raise ConfigurationError(name, value, f"give a number from {least} on")


class Buckets:
    """Many token buckets of one size; at most 10,000, the least recently used are forgotten.

    A bucket is kept as the time at which it will be full again, which is all there is to know.

    Args:
        per_second: how fast each fills.
        burst: how much it holds.
        clock: tells the time.
    """

    __slots__ = ("_clock", "_full_at", "_interval_ms", "_size_ms")

    def __init__(self, per_second: float, burst: int, clock: Clock) -> None:
        self._interval_ms = 1000 / per_second
        self._size_ms = burst * self._interval_ms
        self._clock = clock
        self._full_at: OrderedDict[Hashable, float] = OrderedDict()

    def __contains__(self, key: Hashable) -> bool:
        """Return whether something was taken of late, as far as is remembered."""
        return key in self._full_at

    def wait(self, key: Hashable) -> float:
        """Return for how many seconds nothing can be taken; 0: now it can."""
        now = self._clock.monotonic_ms()
        full_at = self._full_at.get(key, now)
        return max(0.0, full_at + self._interval_ms - self._size_ms - now) / 1000

    def take(self, key: Hashable) -> float:
        """Take one, and return 0; or, where there is none, for how many seconds to wait."""
        now = self._clock.monotonic_ms()
        full_at = self._full_at.get(key, now)
        next_full_at = (full_at if full_at > now else now) + self._interval_ms
        missing = next_full_at - self._size_ms - now
        if missing > 0:
            return missing / 1000
        self._full_at[key] = next_full_at
        self._full_at.move_to_end(key)
        if len(self._full_at) > _MAX_BUCKETS:
            self._full_at.popitem(last=False)
        return 0.0


class Slots:
    """How many of something anybody has at once.

    Args:
        most: of one key.
    """

    __slots__ = ("_most", "_taken")

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: Counter[Hashable] = Counter()

    def take(self, key: Hashable) -> bool:
        """Take one; return whether there was one."""
        if self._taken[key] >= self._most:
            return False
        self._taken[key] += 1
        return True

    def give(self, key: Hashable) -> None:
        """Give back one that was taken."""
        self._taken[key] -= 1
        if self._taken[key] <= 0:
            del self._taken[key]


class Throttle:
    """Counts what principals ask, and what clients try.

    An address whose clients were denied too often is refused before anybody is authenticated, but
    for those with a token that was good while others were denied: who shares an address with an
    attacker, behind a proxy or at an office, goes on.

    Args:
        limit: how often is too often.
        clock: tells the time.
    """

    def __init__(self, limit: RateLimit, clock: Clock) -> None:
        self._operations = Buckets(limit.per_second, limit.burst, clock)
        self._denials = Buckets(limit.denials_per_second, limit.denial_burst, clock)
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def suspects(self, address: str) -> bool:
        """Return whether an address was denied anything of late, as far as is remembered."""
        return address in self._denials

    def check(self, address: str, token: str | None) -> None:
        """Refuse a client whose address was denied too often.

        Raises:
            TooOftenError: it was.
        """
        seconds = self._denials.wait(address)
        if seconds and _digest(token) not in self._known:
            raise TooOftenError("Too many attempts without good credentials", seconds)

    def note(self, address: str, token: str | None, *, known: bool) -> None:
        """Remember how an attempt ended."""
        if not known:
            self._denials.take(address)
            self._known.pop(_digest(token), None)
        elif token is not None and address in self._denials:
            digest = _digest(token)
            self._known[digest] = None
            self._known.move_to_end(digest)
            if len(self._known) > _MAX_KNOWN:
                self._known.popitem(last=False)

    def charge(self, principal: Hashable) -> None:
        """Count an operation.

        Raises:
            TooOftenError: there were too many.
        """
        seconds = self._operations.take(principal)
        if seconds:
            raise TooOftenError("Too many operations", seconds)


def _digest(token: str | None) -> bytes:
    return hashlib.sha256((token or "").encode("utf-8", "surrogatepass")).digest()


def client_address(scope: Scope) -> str:
    """Return what an ASGI scope's client is counted by: its address, of IPv6 the network."""
    client = scope.get("client")
    return _network(client[0]) if client else ""


@lru_cache(maxsize=1024)
def _network(host: str) -> str:
    if ":" not in host:
        return host
    try:
        return str(ipaddress.ip_network((host.partition("%")[0], 64), strict=False))
    except ValueError:
        return host
