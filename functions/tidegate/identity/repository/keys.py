"""Public signing keys and the lease of their rotation (AUTH-10)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from tidegate_kit.auth.models import SigningKeyItem
from tidegate_kit.dynamo import ConditionFailed, store_errors

from tidegate.identity.models import LeaseItem

RING = "SIGNING_KEYS"


class PublicKeys(Protocol):
    """The published halves."""

    def all(self) -> list[SigningKeyItem]:
        """Every published key, retired ones too."""

    def publish(self, item: SigningKeyItem) -> None:
        """Add a key; a kid is never replaced."""

    def mark(self, kid: str, status: str, retire_after: datetime | None, now: datetime) -> None:
        """Set status and end of a key. A compromised key stays compromised."""

    def forget(self, kid: str) -> None:
        """Remove a key that verifies nothing any more."""

    def lease(self, until: datetime, now: datetime) -> bool:
        """Take the rotation lease; False where another run holds it."""

    def release(self) -> None:
        """Give the lease back."""


class GlobalSigningKeys:
    """PublicKeys on DynamoDB."""

    def all(self) -> list[SigningKeyItem]:
        with store_errors():
            return list(SigningKeyItem.query(RING, consistent_read=True))

    def publish(self, item: SigningKeyItem) -> None:
        with store_errors():
            item.save(condition=SigningKeyItem.pk.does_not_exist())

    def mark(self, kid: str, status: str, retire_after: datetime | None, now: datetime) -> None:
        end = SigningKeyItem.retire_after
        actions: list[Any] = [
            SigningKeyItem.status.set(status),
            end.remove() if retire_after is None else end.set(retire_after),
            SigningKeyItem.updated_at.set(now),
        ]
        try:
            with store_errors():
                SigningKeyItem(RING, _sk(kid)).update(
                    actions=actions,
                    condition=SigningKeyItem.pk.exists() & (SigningKeyItem.status != "compromised"),
                )
        except ConditionFailed:
            return  # marked compromised meanwhile: that stands

    def forget(self, kid: str) -> None:
        with store_errors():
            SigningKeyItem(RING, _sk(kid)).delete()

    def lease(self, until: datetime, now: datetime) -> bool:
        item = LeaseItem(f"{RING}_LEASE", "LEASE", until=until, created_at=now, updated_at=now)
        try:
            with store_errors():
                item.save(condition=LeaseItem.pk.does_not_exist() | (LeaseItem.until <= now))
        except ConditionFailed:
            return False
        return True

    def release(self) -> None:
        with store_errors():
            LeaseItem(f"{RING}_LEASE", "LEASE").delete()


def _sk(kid: str) -> str:
    return f"KEY#{kid}"
