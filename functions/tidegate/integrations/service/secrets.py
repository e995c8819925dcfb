"""Named secrets of a tenant, for workflow steps."""

from __future__ import annotations

from dataclasses import replace

from tidegate_kit.clock import Clock
from tidegate_kit.errors import NotFound

from tidegate.integrations.domain import Secret
from tidegate.integrations.errors import UnknownSecret
from tidegate.integrations.repository import Records
from tidegate.integrations.vault import Vault


class SecretService:
    """Secrets of one tenant. Values leave only through `value`, which no route calls."""

    def __init__(self, secrets: Records[Secret], vault: Vault, clock: Clock) -> None:
        self._secrets = secrets
        self._vault = vault
        self._clock = clock

    def all(self) -> list[Secret]:
        """Newest first; values sealed."""
        return self._secrets.all()

    def put(self, name: str, value: str, by: str | None = None) -> Secret:
        """Store or replace, by that user. Raises ChangedMeanwhile."""
        (old,) = self._secrets.get([name])
        now = self._clock()
        secret = Secret(
            id=name,
            value=self._vault.seal(value, f"SECRET#{name}", "value"),
            created_at=now if old is None else old.created_at,
            updated_at=now,
            version=1 if old is None else old.version + 1,
            updated_by=by,
        )
        self._secrets.save([secret])
        return secret

    def delete(self, name: str, by: str | None = None) -> None:
        """Raises NotFound, ChangedMeanwhile."""
        (old,) = self._secrets.get([name])
        if old is None:
            raise NotFound
        # The audit log reads from the removed row who removed it.
        last = replace(old, version=old.version + 1, updated_by=by, updated_at=self._clock())
        self._secrets.save([last])
        self._secrets.delete(last)

    def value(self, name: str) -> str:
        """The plain value. Raises UnknownSecret, SealBroken, ServiceUnavailable."""
        (found,) = self._secrets.get([name])
        if found is None:
            raise UnknownSecret
        return self._vault.open(found.value, f"SECRET#{name}", "value")
