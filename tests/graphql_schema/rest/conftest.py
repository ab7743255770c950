"""The REST API on a real server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import pytest


class Story:
    """The API over the story of two days, for a module's tests that leave it as they find it."""

    def __init__(self, runner: asyncio.Runner, endpoint: Any) -> None:
        self._runner = runner
        self.endpoint = endpoint

    def get(self, path: str, **options: Any) -> httpx.Response:
        response: httpx.Response = self._runner.run(self.endpoint.get(path, **options))
        return response

    def json(self, path: str, **options: Any) -> Any:
        response = self.get(path, **options)
        assert response.status_code == 200, response.text
        return response.json()

    def problem(self, path: str, status: int, **options: Any) -> Any:
        response = self.get(path, **options)
        assert response.headers["content-type"] == "application/problem+json"
        assert response.headers["cache-control"] == "no-store"
        problem = response.json()
        assert response.status_code == problem["status"] == status, response.text
        assert problem["error"] == problem["detail"], "the original's clients read `error`"
        return problem


@pytest.fixture(scope="module")
def story(serve_endpoint: Callable[..., AbstractAsyncContextManager[Any]]) -> Iterator[Story]:
    with asyncio.Runner() as runner:
        served = serve_endpoint()
        try:
            yield Story(runner, runner.run(served.__aenter__()))
        finally:
            runner.run(served.__aexit__(None, None, None))
