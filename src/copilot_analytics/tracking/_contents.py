"""Which texts are one more piece of the open stream."""

from __future__ import annotations

from typing import Final

__all__ = ["NOTHING", "Contents"]

NOTHING: Final = ""
"""No text is from here up to, but not including, the same."""


class Contents:
    """The content frames of a connection's open stream: how to tell them, and how many were sent.

    A text is one if `low <= text < high`. Every text that starts with the prefix that the adapter
    gave, and no other, is in that range; comparing costs half of `startswith`. Plugins do it in
    place and add to the count: the hot path of a server is fifty such frames for each other one,
    and a call costs more than all the rest.

    Attributes:
        low: the prefix.
        high: the least text after all those that start with it.
        count: the content frames sent since the tracker looked last.
    """

    __slots__ = ("_known", "count", "high", "low")

    def __init__(self) -> None:
        self.low = self.high = NOTHING
        self.count = 0
        # By what the first content of the next stream can be told, too.
        self._known = (NOTHING, NOTHING)

    def learn(self, prefix: str, *, nameless: bool) -> None:
        """Take every text with this start for content from now on; an empty one is no start.

        Args:
            prefix: the start.
            nameless: whether the content it was found in names no conversation. Then neither need
                that of later streams be read to tell whose it is, see `resume`.
        """
        if prefix:
            self.low = prefix
            self.high = prefix[:-1] + chr(ord(prefix[-1]) + 1)
            self._known = (self.low, self.high) if nameless else (NOTHING, NOTHING)

    def resume(self, text: str) -> bool:
        """Say whether a text starts as nameless content did before; if so, take all such for it."""
        low, high = self._known
        if low <= text < high:
            self.low, self.high = low, high
            return True
        return False
