"""What names a DynamoDB table: `dynamodb://TABLE?region=…&endpoint=…&shards=…`, or its name."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

from ..errors import ConfigurationError

__all__ = ["parsed"]

_SCHEME = "dynamodb://"
_TABLE_NAME = re.compile(r"[a-zA-Z0-9_.-]{3,255}")
_PASSWORD = re.compile(r"//[^/?#]*@")
_OPTIONS = ("region", "endpoint", "shards")


def parsed(table_or_url: str) -> tuple[str, dict[str, str]]:
    """Return the table and the options of a URL, or a name as it is.

    Raises:
        ConfigurationError: it is no such name or URL.
    """
    table, options = table_or_url, {}
    shown = _PASSWORD.sub("//", table_or_url)
    remedy = f"give {_SCHEME}TABLE?region=eu-central-1, or the name of a table alone"
    if table_or_url.startswith("dynamodb:"):
        parts = urlsplit(table_or_url)
        table = parts.netloc
        if not table_or_url.startswith(_SCHEME) or parts.path not in ("", "/") or parts.fragment:
            raise ConfigurationError("store", shown, remedy)
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        options = dict(pairs)
        for name, value in pairs:
            if name not in _OPTIONS or not value or value != options[name]:
                raise ConfigurationError(
                    "store",
                    shown,
                    f"give each of its options {', '.join(_OPTIONS)} once and with a value, "
                    f"not {name}={value}",
                )
    if not _TABLE_NAME.fullmatch(table):
        raise ConfigurationError(
            "store",
            shown,
            f"{remedy}; names of tables have 3 to 255 letters, digits, _, - and .",
        )
    return table, options
