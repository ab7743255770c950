"""The original's API over HTTP: `rest_routes(analytics, authenticate=…)`."""

from __future__ import annotations

from .openapi import openapi_document
from .routes import rest_routes, shared_rest_routes

__all__ = ["openapi_document", "rest_routes", "shared_rest_routes"]
