"""With and without a plugin, both ends of a socket see the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from copilot_analytics.analytics import Analytics
from copilot_analytics.config import AnalyticsConfig
from copilot_analytics_plugins.starlette import AnalyticsMiddleware
from copilot_analytics_plugins.websockets import AnalyticsConnection, track

Transcripts = dict[str, object]
ASGITranscripts = Callable[[str, Callable[[Any], Any]], Transcripts]
WebsocketsTranscripts = Callable[..., Transcripts]

PROTOCOLS = ("websockets-sansio", "websockets", "wsproto")


@pytest.fixture
def analytics() -> Iterator[Analytics]:
    with_everything_raised = Analytics("memory://", config=AnalyticsConfig(strict=True))
    yield with_everything_raised
    with_everything_raised.close()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_middleware_is_transparent(
    protocol: str,
    asgi_transcripts: ASGITranscripts,
    bare_asgi_transcripts: Callable[[str], Transcripts],
    analytics: Analytics,
) -> None:
    seen = asgi_transcripts(protocol, lambda app: AnalyticsMiddleware(app, analytics))

    assert seen == bare_asgi_transcripts(protocol)


def test_decorator_is_transparent(
    websockets_transcripts: WebsocketsTranscripts,
    bare_websockets_transcripts: Callable[[], Transcripts],
    analytics: Analytics,
) -> None:
    seen = websockets_transcripts(track(analytics))

    assert seen == bare_websockets_transcripts()


def test_connection_class_is_transparent(
    websockets_transcripts: WebsocketsTranscripts,
    bare_websockets_transcripts: Callable[[], Transcripts],
    analytics: Analytics,
) -> None:
    connection = AnalyticsConnection.factory(analytics)
    seen = websockets_transcripts(lambda handler: handler, create_connection=connection)

    assert seen == bare_websockets_transcripts()
