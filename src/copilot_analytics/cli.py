"""The `copilot-analytics` command."""

from __future__ import annotations

import sys

from .errors import CopilotAnalyticsError, MissingDependencyError

__all__ = ["main"]

USER_ERROR = 2
"""The exit status of a mistake in what was asked; 1 says that the answer itself is bad news."""


def main() -> None:
    """Run the command; a user's mistake is one sentence on standard error and status 2."""
    try:
        try:
            from .server.commands import app
        except ModuleNotFoundError as error:
            raise MissingDependencyError(error.name or "typer", "server") from error
        app(prog_name="copilot-analytics")
    except CopilotAnalyticsError as error:
        sys.stderr.write(f"copilot-analytics: {error}\n")
        sys.exit(USER_ERROR)
    except KeyboardInterrupt:
        sys.exit(130)
