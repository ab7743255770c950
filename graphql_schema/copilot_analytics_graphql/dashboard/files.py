"""The build's files: hashed names, compressed beforehand, good for ever."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from wsgiref.headers import Headers

from copilot_analytics.errors import MissingDependencyError
from copilot_analytics.typing import ASGIApp, Receive, Scope, Send

__all__ = ["PREFIX", "Files"]

PREFIX = "/assets/"


class Files:
    """Serves them below `/assets/`: brotli and gzip by what a client takes, immutable.

    Args:
        built: the folder of the build.
        otherwise: answers what is no file.

    Raises:
        MissingDependencyError: servestatic is not installed.
    """

    def __init__(self, built: Path, otherwise: ASGIApp) -> None:
        self._otherwise = otherwise
        self._static = _static(built / "assets", otherwise)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; its path is without the mount's."""
        if self._static is None or scope["method"] not in ("GET", "HEAD"):
            await self._otherwise(scope, receive, send)
        else:
            await self._static(scope, receive, send)


def _static(assets: Path, otherwise: ASGIApp) -> ASGIApp | None:
    try:
        from servestatic import ServeStaticASGI
    except ModuleNotFoundError as error:
        raise MissingDependencyError("servestatic", "dashboard") from error
    if not assets.is_dir():
        return None
    # Typed by another description of ASGI than ours.
    untyped: Any = ServeStaticASGI
    static: ASGIApp = untyped(
        otherwise,
        root=assets,
        prefix=PREFIX,
        allow_all_origins=False,
        immutable_file_test=lambda _path, _url: True,
        add_headers_function=_add_headers,
    )
    return static


def _add_headers(headers: Headers, _path: str, _url: str) -> None:
    headers["X-Content-Type-Options"] = "nosniff"
