"""What AWS charges for a DynamoDB table on demand; a price of one's own replaces any of them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

__all__ = ["US_EAST_1", "Prices"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Prices in US dollars, of the Standard table class."""

    source: str
    """Where and when they held."""
    write: Decimal
    """A million write request units."""
    read: Decimal
    """A million read request units."""
    storage: Decimal
    """A GB-month of table and indexes."""
    backup: Decimal
    """A GB-month of point-in-time recovery, charged for the table without its indexes."""


US_EAST_1 = Prices(
    source="us-east-1, on demand, in force since 2024-11-01",
    write=Decimal("0.625"),
    read=Decimal("0.125"),
    storage=Decimal("0.25"),
    backup=Decimal("0.20"),
)
"""Most other regions are 0 to 60 % dearer: https://aws.amazon.com/dynamodb/pricing/on-demand/."""
