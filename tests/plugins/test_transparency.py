"""With and without a plugin, both ends of a socket see the same."""

from __future__ import annotations

from collections.abc import Callable
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


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_middleware_is_transparent(
    protocol: str,
    asgi_transcripts: ASGITranscripts,
    bare_asgi_transcripts: Callable[[str], Transcripts],
) -> None:
    analytics = Analytics("memory://", config=AnalyticsConfig(strict=True))
    seen = asgi_transcripts(protocol, lambda app: AnalyticsMiddleware(app, analytics))

    assert seen == bare_asgi_transcripts(protocol)


def test_decorator_is_transparent(
    websockets_transcripts: WebsocketsTranscripts,
    bare_websockets_transcripts: Callable[[], Transcripts],
) -> None:
    analytics = Analytics("memory://", config=AnalyticsConfig(strict=True))
    seen = websockets_transcripts(track(analytics))

    assert seen == bare_websockets_transcripts()


def test_connection_class_is_transparent(
    websockets_transcripts: WebsocketsTranscripts,
    bare_websockets_transcripts: Callable[[], Transcripts],
) -> None:
    analytics = Analytics("memory://", config=AnalyticsConfig(strict=True))
    connection = AnalyticsConnection.factory(analytics)
    seen = websockets_transcripts(lambda handler: handler, create_connection=connection)

    assert seen == bare_websockets_transcripts()
