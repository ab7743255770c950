"""Admission of foreign events: the recorder's own checks, with an id and a user that are kept."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec.structs import replace

from ..admission import OTHER, Admission, Refusal
from ..events import AnalyticsEvent, Observation, ValueKind
from ..identity import Pseudonymiser, is_pseudonym
from ..ids import derived_id
from ..typing import Clock
from ..writer import Writer

__all__ = ["Admitter"]

_USUAL_ID = re.compile(r"[0-9A-Za-z_.:-]{1,64}")


class Admitter:
    """Admits events that were recorded elsewhere.

    Whatever they say goes through admission again: bounds, redaction, closed keys, normalisation.

    Args:
        clock: tells what is too old and what lies in the future.
        max_age_ms: how old an event may be, in milliseconds.
        error_text: as in `AnalyticsConfig`.
        extra_keys: as in `AnalyticsConfig`.
        pseudonymise_key: as in `AnalyticsConfig`; ids that are pseudonyms already are kept.
        max_names: how many names a kind and day are kept apart; beyond, they are `(other)`.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        max_age_ms: int,
        error_text: str = "normalised",
        extra_keys: Mapping[str, ValueKind] | None = None,
        pseudonymise_key: str | None = None,
        max_names: int = 1_000,
    ) -> None:
        self._admission = Admission(
            clock,
            Writer(),
            error_text=error_text,
            extra_keys=extra_keys,
            max_age_ms=max_age_ms,
            max_names=max_names,
        )
        self._pseudonymises = pseudonymise_key is not None
        self._pseudonymiser = Pseudonymiser(pseudonymise_key)

    @property
    def dropped_values(self) -> Mapping[str, int]:
        """How many values were left out of events, by reason and key."""
        return self._admission.skipped

    def stored_user_id(self, user_id: str) -> str:
        """Return the stored form of a user's id, which may be that already."""
        if self._pseudonymises and is_pseudonym(user_id):
            return user_id
        return self._pseudonymiser.stored(user_id)

    def admit(
        self, observation: Observation, event_id: str | None, content: bytes, sequence: int
    ) -> AnalyticsEvent | Refusal:
        """Return the event of an observation, or why there is none.

        Args:
            observation: what happened; given away.
            event_id: its id; one that is missing or unusual is derived.
            content: what an id is derived from.
            sequence: its place in the source.
        """
        metadata = observation.metadata
        lumped = metadata.pop("fingerprint", None) == OTHER
        user_id: object = observation.user_id
        if isinstance(user_id, str) and user_id:
            observation.user_id = self.stored_user_id(user_id)
        event = self._admission.admit(observation)
        if isinstance(event, Refusal):
            return event
        if lumped and "fingerprint" in event.metadata:
            # It was one too many when it was recorded, and its message is gone.
            event.metadata["fingerprint"] = OTHER
        if event_id is None:
            event_id = derived_id(event.timestamp, content)
        elif not _USUAL_ID.fullmatch(event_id):
            event_id = derived_id(event.timestamp, event_id.encode("utf-8", "surrogatepass"))
        return replace(event, event_id=event_id, writer="", sequence=sequence)
