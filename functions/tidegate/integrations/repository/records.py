"""Records of one user or tenant, by kind and id, each changed only from the version last read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Generic, Protocol, TypeVar

from tidegate_kit.dynamo import ConditionFailed, Transaction, batch_get, store_errors
from tidegate_kit.tenancy import TenantScope, UserScope, key

from tidegate.integrations.domain import Account, Health, Record, Secret, Target
from tidegate.integrations.errors import ChangedMeanwhile
from tidegate.integrations.models import (
    AccountItem,
    HealthItem,
    RecordItem,
    SecretItem,
    TargetItem,
)
from tidegate.integrations.repository.everywhere import ALL_ACCOUNTS, AccountRef, place_of

R = TypeVar("R", bound=Record)


class Records(Protocol[R]):
    """Records of one kind."""

    def all(self) -> list[R]:
        """Newest first."""

    def get(self, ids: Sequence[str]) -> list[R | None]:
        """Up to 100 records in the order asked; None where there is none."""

    def save(self, records: Sequence[R]) -> None:
        """Store up to 100, all or none. Raises ChangedMeanwhile if one is not as it was read."""

    def delete(self, record: R) -> None:
        """Remove. Raises ChangedMeanwhile if it is not as it was read."""


class _DynamoRecords(Generic[R]):
    """Records on DynamoDB; a record's fields are its item's attributes."""

    prefix: str
    item: type[RecordItem]
    record: type[R]

    def __init__(self, pk: str) -> None:
        self._pk = pk

    def all(self) -> list[R]:
        with store_errors():
            rows = list(
                self.item.query(
                    self._pk, self.item.sk.startswith(f"{self.prefix}#"), consistent_read=True
                )
            )
        found = [self._record(row) for row in rows]
        return sorted(found, key=lambda record: (record.created_at, record.id), reverse=True)

    def get(self, ids: Sequence[str]) -> list[R | None]:
        found = batch_get([(self.item, self._pk, key(self.prefix, id_)) for id_ in ids])
        return [None if row is None else self._record(row) for row in found]

    def save(self, records: Sequence[R]) -> None:
        writes = Transaction()
        for record in records:
            expected = (
                self.item.pk.does_not_exist()
                if record.version == 1
                else self.item.version == record.version - 1
            )
            writes.save(self._item(record), expected, name=record.id)
        self._commit(writes)

    def delete(self, record: R) -> None:
        writes = Transaction()
        writes.delete(
            self.item(self._pk, key(self.prefix, record.id)), self.item.version == record.version
        )
        self._commit(writes)

    @staticmethod
    def _commit(writes: Transaction) -> None:
        try:
            writes.commit()
        except ConditionFailed as lost:
            raise ChangedMeanwhile from lost

    def _record(self, item: RecordItem) -> R:
        values: dict[str, Any] = {
            each.name: getattr(item, each.name) for each in fields(self.record)
        }
        values["version"] = int(item.version)
        return self.record(**values)

    def _item(self, record: R) -> RecordItem:
        values = {each.name: getattr(record, each.name) for each in fields(record)}
        values |= self._listed(record)
        return self.item(self._pk, key(self.prefix, record.id), **values)

    def _listed(self, record: R) -> dict[str, str]:
        """Attributes of the index that lists the record, if one does."""
        return {}


class DynamoAccounts(_DynamoRecords[Account]):
    """Accounts of one user."""

    prefix, item, record = "ACCOUNT", AccountItem, Account

    def __init__(self, scope: UserScope) -> None:
        super().__init__(scope.pk)
        self._scope = scope

    def _listed(self, record: Account) -> dict[str, str]:
        place = place_of(AccountRef(self._scope, record.id))
        return {"gsi1pk": ALL_ACCOUNTS, "gsi1sk": place}


class DynamoTargets(_DynamoRecords[Target]):
    """Communication targets of one user."""

    prefix, item, record = "TARGET", TargetItem, Target

    def __init__(self, scope: UserScope) -> None:
        super().__init__(scope.pk)


class DynamoHealth(_DynamoRecords[Health]):
    """Health of one user's accounts; the id is the account's."""

    prefix, item, record = "HEALTH", HealthItem, Health

    def __init__(self, scope: UserScope) -> None:
        super().__init__(scope.pk)


class DynamoSecrets(_DynamoRecords[Secret]):
    """Secrets of one tenant; the id is the name."""

    prefix, item, record = "SECRET", SecretItem, Secret

    def __init__(self, scope: TenantScope) -> None:
        super().__init__(scope.pk)
