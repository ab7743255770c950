"""What all endpoints over one `Analytics` share: who may ask, from where, and held answers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Required, Self, TypedDict

from .access import Authenticate, Gatekeeper
from .cache import AnswerCache
from .origins import Origins
from .rates import RateLimit
from .source import Source

__all__ = ["AccessOptions", "Shared"]

_RATE_LIMIT = RateLimit()


class AccessOptions(TypedDict, total=False):
    """Who may ask, as every endpoint takes it; see `create_graphql_app`."""

    authenticate: Required[Authenticate]
    allowed_origins: Collection[str]
    allow_credentials: bool
    rate_limit: RateLimit | None


@dataclass(frozen=True, slots=True)
class Shared:
    """The part of an endpoint that others beside it use, too.

    Attributes:
        source: answers; not owned.
        gatekeeper: lets in, and counts, over all endpoints.
        origins: whose pages may ask.
        answers: holds answers, whichever endpoint has asked for them.
    """

    source: Source
    gatekeeper: Gatekeeper
    origins: Origins
    answers: AnswerCache

    @classmethod
    def of(cls, analytics: Source, options: AccessOptions) -> Self:
        """Make it for one or more endpoints.

        Raises:
            ConfigurationError: `authenticate` is no authenticator, or an origin is none.
        """
        return cls(
            analytics,
            Gatekeeper(
                options["authenticate"],
                analytics.clock,
                options.get("rate_limit", _RATE_LIMIT),
            ),
            Origins(
                options.get("allowed_origins", ()),
                credentials=options.get("allow_credentials", False),
            ),
            AnswerCache(analytics.clock),
        )
