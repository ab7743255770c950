"""Where the servers have the page, and the links that sign somebody in to it."""

from __future__ import annotations

import hashlib

from copilot_analytics_graphql import Principal, SignInCodes

__all__ = ["PAGE", "session_key", "sign_in_link"]

PAGE = "/copilot-analytics"


def sign_in_link(base: str, codes: SignInCodes, principal: Principal) -> str:
    """Return an address that signs somebody in once, within ten minutes.

    The code is in the fragment, which no browser sends: it is in no server's log.

    Args:
        base: the server's address.
        codes: those that the page at this address knows.
        principal: who is signed in by it.
    """
    return f"{base}{PAGE}/#code={codes.issue(principal)}"


def session_key(token: str) -> str:
    """Return what signs sessions: the same after a restart with the same token, gone with it."""
    return hashlib.sha256(b"copilot-analytics serve: sessions:" + token.encode()).hexdigest()
