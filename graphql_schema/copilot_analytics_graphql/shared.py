"""What all endpoints over one `Analytics` share: who may ask, from where, and held answers."""

from __future__ import annotations

import platform
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Required, Self, TypedDict

from copilot_analytics.ids import new_id

from .access import Authenticate, Gatekeeper
from .cache import AnswerCache
from .links import ExportLinks
from .origins import Origins
from .rates import RateLimit
from .remote import RemoteAnswers
from .source import Source

__all__ = ["AccessOptions", "Shared"]

_RATE_LIMIT = RateLimit()


class AccessOptions(TypedDict, total=False):
    """Who may ask, as every endpoint takes it; see `create_graphql_app`."""

    authenticate: Required[Authenticate]
    allowed_origins: Collection[str]
    allow_credentials: bool
    rate_limit: RateLimit | None
    cache_url: str | None


@dataclass(frozen=True, slots=True)
class Shared:
    """The part of an endpoint that others beside it use, too.

    Attributes:
        source: answers; not owned.
        gatekeeper: lets in, and counts, over all endpoints.
        origins: whose pages may ask.
        answers: holds answers, whichever endpoint has asked for them.
        links: makes links to REST's exports; None where no REST is beside it.
    """

    source: Source
    gatekeeper: Gatekeeper
    origins: Origins
    answers: AnswerCache
    links: ExportLinks | None = None

    @classmethod
    def of(
        cls, analytics: Source, options: AccessOptions, links: ExportLinks | None = None
    ) -> Self:
        """Make it for one or more endpoints.

        Raises:
            ConfigurationError: `authenticate` is no authenticator, an origin is none, or the URL of
                the cache cannot be used.
            MissingDependencyError: there is such a URL, but not the package redis.
        """
        cache_url = options.get("cache_url") or analytics.config.cache_url
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
            AnswerCache(
                analytics.clock,
                remote=RemoteAnswers(cache_url, _namespace(analytics)) if cache_url else None,
            ),
            links,
        )


def _namespace(analytics: Source) -> str:
    """Return what tells the answers of one store from those of others, and from other pseudonyms'.

    A local store's URL says nothing beyond this machine and this folder, and one in memory is this
    process's alone.
    """
    store = analytics.store
    where = "" if store.remote else f"{platform.node()}:{Path.cwd()}"
    if store.url.startswith("memory:"):
        where = new_id()
    return f"{store.url}\n{where}\n{analytics.stored_user_id('')}"
