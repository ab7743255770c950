"""Whatever fails or hangs in analytics, the host's users see what they always saw."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from copilot_analytics.analytics import Analytics
from copilot_analytics.batch import Batch
from copilot_analytics.config import AnalyticsConfig
from copilot_analytics.protocols import FrameAdapter
from copilot_analytics.protocols.signals import Signal
from copilot_analytics.stores.memory import MemoryStore
from copilot_analytics.tracking import ConnectionTracker
from copilot_analytics_plugins.starlette import AnalyticsMiddleware
from copilot_analytics_plugins.websockets import AnalyticsConnection, track

Transcripts = dict[str, object]


class OurFailureError(Exception):
    """Something in analytics went wrong."""


class FailingAdapter(FrameAdapter):
    name = "failing"

    def client_frame(self, data: str | bytes) -> Sequence[Signal]:
        raise OurFailureError

    def server_frame(self, data: str | bytes) -> Sequence[Signal]:
        raise OurFailureError

    def content_prefix(self, data: str | bytes) -> str | None:
        raise OurFailureError


class FailingStore(MemoryStore):
    def write(self, batch: Batch) -> None:
        raise OurFailureError


class HangingStore(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()

    def write(self, batch: Batch) -> None:
        self.released.wait()


def fail(*args: object, **kwargs: object) -> Any:
    raise OurFailureError


@pytest.fixture(params=["adapter", "identify", "tracker", "connecting", "failing store", "hanging"])
def hostile(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Analytics, dict[str, Any]]]:
    """Return analytics that fails in one place, and options that make a plugin fail."""
    store = {"failing store": FailingStore, "hanging": HangingStore}.get(
        request.param, MemoryStore
    )()
    analytics = Analytics(store, config=AnalyticsConfig(flush_interval=0.01))
    options: dict[str, Any] = {}
    if request.param == "adapter":
        options["adapter"] = FailingAdapter()
    elif request.param == "identify":
        options["identify"] = fail
    elif request.param == "connecting":
        monkeypatch.setattr(analytics, "open_connection", fail)
    elif request.param == "tracker":
        for name in ("opened", "client_frame", "is_content", "server_frame", "failed", "closed"):
            monkeypatch.setattr(ConnectionTracker, name, fail)
    yield analytics, options
    if isinstance(store, HangingStore):
        store.released.set()
    else:
        assert analytics.guard.errors
    analytics.close()


@pytest.mark.parametrize("protocol", ["websockets-sansio", "wsproto"])
def test_middleware_keeps_failures_from_the_host(
    hostile: tuple[Analytics, dict[str, Any]],
    protocol: str,
    asgi_transcripts: Callable[[str, Callable[[Any], Any]], Transcripts],
    bare_asgi_transcripts: Callable[[str], Transcripts],
) -> None:
    analytics, options = hostile
    seen = asgi_transcripts(protocol, lambda app: AnalyticsMiddleware(app, analytics, **options))
    assert seen == bare_asgi_transcripts(protocol)


def test_decorator_keeps_failures_from_the_host(
    hostile: tuple[Analytics, dict[str, Any]],
    websockets_transcripts: Callable[..., Transcripts],
    bare_websockets_transcripts: Callable[[], Transcripts],
) -> None:
    analytics, options = hostile
    assert websockets_transcripts(track(analytics, **options)) == bare_websockets_transcripts()


def test_connection_class_keeps_failures_from_the_host(
    hostile: tuple[Analytics, dict[str, Any]],
    websockets_transcripts: Callable[..., Transcripts],
    bare_websockets_transcripts: Callable[[], Transcripts],
) -> None:
    analytics, options = hostile
    connection = AnalyticsConnection.factory(analytics, **options)
    seen = websockets_transcripts(lambda handler: handler, create_connection=connection)
    assert seen == bare_websockets_transcripts()
