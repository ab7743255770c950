"""The `copilot-analytics` command."""

from __future__ import annotations

import signal
import sys

from .errors import CopilotAnalyticsError, MissingDependencyError, StoreUnavailableError

__all__ = ["main"]

USER_ERROR = 2
"""The exit status of a mistake in what was asked; 1 says that the answer itself is bad news."""

UNAVAILABLE = 3
"""The exit status where the store cannot be used now: not there, not reachable, not permitted."""

INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM


def main() -> None:
    """Run the command; a user's mistake is one sentence on standard error and status 2 or 3."""
    # Without a handler, SIGTERM would leave no time to close the store or remove the demo's.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    try:
        try:
            # A command imports what it alone needs when it runs.
            from .server.commands import app

            app(prog_name="copilot-analytics")
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if not package or package.startswith("copilot"):  # ours: no extra brings it
                raise
            raise MissingDependencyError(package, "server") from error
    except CopilotAnalyticsError as error:
        sys.stderr.write(f"copilot-analytics: {error}\n")
        sys.exit(UNAVAILABLE if isinstance(error, StoreUnavailableError) else USER_ERROR)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
