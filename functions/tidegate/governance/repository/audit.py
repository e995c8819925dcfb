"""The audit log's rows, and the copy of its end in another store."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.expressions.condition import Condition
from tidegate_kit.clock import Clock, epoch
from tidegate_kit.dynamo import ConditionFailed, Transaction, batch_get, store_errors
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.tenancy import TenantScope, key

from tidegate.governance.chain import Entry, Mark
from tidegate.governance.models import AuditHeadItem, AuditItem, AuditKeyItem, AuditSourceItem
from tidegate.governance.repository.keys import audit_sk

# A dead letter waits up to 14 days for its redelivery.
_SOURCE_KEPT: Final = timedelta(days=30)
_HEAD, _KEY, _PREFIX = "AUDITHEAD", "AUDITKEY", "AUDIT#"


class Extended(Exception):
    """Somebody else appended first; read again."""


@dataclass(frozen=True)
class AuditFilters:
    """Which entries a list holds; `actor` is an id or an e-mail, both times are inclusive."""

    from_: datetime | None = None
    to: datetime | None = None
    actor: str | None = None
    action: str | None = None


class AuditLog(Protocol):
    """The rows of one tenant's log."""

    def head(self) -> Mark | None:
        """Where the chain ends; strongly consistent."""

    def known(self, source_ids: Sequence[str]) -> set[str]:
        """Which acts are entered already, of up to 100."""

    def extend(self, old: Mark | None, new: Mark, entries: Sequence[tuple[str, Entry]]) -> None:
        """Add (source id, entry) and move the head, all or nothing. Raises Extended."""

    def entries(self, after: int = 0, upto: int | None = None) -> Iterator[Entry]:
        """Every row in order, or those after one sequence up to another."""

    def page(
        self, filters: AuditFilters, skip: int, limit: int, start: Mapping[str, Any] | None
    ) -> tuple[list[Entry], int, dict[str, Any] | None]:
        """Newest first: the rows of a page, the total, and the key to go on from."""


class Checkpoints(Protocol):
    """The copy of the head."""

    def get(self) -> Mark | None:
        """The last copy. Raises ServiceUnavailable."""

    def put(self, head: Mark) -> None:
        """Replace it. Raises ServiceUnavailable."""


class DynamoAudit:
    """AuditLog on the table `governance`."""

    def __init__(self, scope: TenantScope, clock: Clock) -> None:
        self._pk = scope.pk
        self._clock = clock

    def head(self) -> Mark | None:
        (item,) = batch_get([(AuditHeadItem, self._pk, _HEAD)])
        return None if item is None else Mark(int(item.sequence), item.hash, item.mac)

    def known(self, source_ids: Sequence[str]) -> set[str]:
        wanted = [(AuditSourceItem, self._pk, key("AUDITSRC", id_)) for id_ in source_ids]
        found = batch_get(wanted)
        return {id_ for id_, item in zip(source_ids, found, strict=True) if item is not None}

    def extend(self, old: Mark | None, new: Mark, entries: Sequence[tuple[str, Entry]]) -> None:
        now = self._clock()
        writes = Transaction()
        expected = (
            AuditHeadItem.pk.does_not_exist()
            if old is None
            else (AuditHeadItem.sequence == old.sequence) & (AuditHeadItem.hash == old.hash)
        )
        head = AuditHeadItem(
            self._pk, _HEAD, sequence=new.sequence, hash=new.hash, mac=new.mac, created_at=now,
            updated_at=now,
        )  # fmt: skip
        writes.save(head, expected, name="head")
        for source_id, entry in entries:
            writes.save(self._item(entry), AuditItem.pk.does_not_exist(), name="entry")
            source = AuditSourceItem(
                self._pk, key("AUDITSRC", source_id), sequence=entry.place,
                expires=epoch(now + _SOURCE_KEPT), created_at=now, updated_at=now,
            )  # fmt: skip
            writes.save(source, AuditSourceItem.pk.does_not_exist(), name="source")
        try:
            writes.commit()
        except ConditionFailed as lost:
            raise Extended from lost

    def entries(self, after: int = 0, upto: int | None = None) -> Iterator[Entry]:
        range_: Condition = AuditItem.sk.startswith(_PREFIX)
        if upto is not None:
            range_ = AuditItem.sk.between(audit_sk(after + 1), audit_sk(upto))
        with store_errors():
            for item in AuditItem.query(self._pk, range_, consistent_read=True):
                yield entry_from(item)

    def page(
        self, filters: AuditFilters, skip: int, limit: int, start: Mapping[str, Any] | None
    ) -> tuple[list[Entry], int, dict[str, Any] | None]:
        condition = _condition(filters)
        range_: Condition = AuditItem.sk.startswith(_PREFIX)
        if start is not None:
            range_ = AuditItem.sk.between(audit_sk(0), audit_sk(int(start["sequence"]) - 1))
        rows: list[Entry] = []
        with store_errors():
            for item in AuditItem.query(
                self._pk, range_, condition, scan_index_forward=False, consistent_read=True
            ):
                if skip > 0:
                    skip -= 1
                    continue
                rows.append(entry_from(item))
                if len(rows) > limit:
                    break
        more = len(rows) > limit
        rows = rows[:limit]
        return rows, self._total(condition), {"sequence": rows[-1].place} if more else None

    def _total(self, condition: Condition | None) -> int:
        if condition is None:
            head = self.head()
            return 0 if head is None else head.sequence
        with store_errors():
            return int(AuditItem.count(self._pk, AuditItem.sk.startswith(_PREFIX), condition))

    def _item(self, entry: Entry) -> AuditItem:
        return AuditItem(
            self._pk, audit_sk(entry.place), body=entry.body, prev_hash=entry.prev_hash,
            hash=entry.hash, mac=entry.mac, timestamp=entry.timestamp, actor_id=entry.actor_id,
            actor_email=entry.actor_email, action=entry.action, created_at=entry.at,
            updated_at=entry.at,
        )  # fmt: skip


class DynamoAuditKeys:
    """The tenant's sealed key."""

    def __init__(self, scope: TenantScope, clock: Clock) -> None:
        self._pk = scope.pk
        self._clock = clock

    def get(self) -> str | None:
        """The sealed key; None where there is none."""
        (item,) = batch_get([(AuditKeyItem, self._pk, _KEY)])
        return None if item is None else item.sealed

    def add(self, sealed: str) -> str:
        """Store the first key; returns the one that is stored then, this or another's."""
        now = self._clock()
        item = AuditKeyItem(self._pk, _KEY, sealed=sealed, created_at=now, updated_at=now)
        try:
            with store_errors():
                item.save(condition=AuditKeyItem.pk.does_not_exist())
        except ConditionFailed:
            return self.get() or sealed
        return sealed


def checkpoint_place(scope: TenantScope, bucket: str) -> dict[str, str]:
    """Where a tenant's checkpoint is."""
    return {"Bucket": bucket, "Key": f"audit/{key(scope.tenant_id)}/checkpoint.json"}


class S3Checkpoints:
    """Checkpoints as one object a tenant. `client` is a boto3 S3 client."""

    def __init__(self, scope: TenantScope, client: Any, bucket: str) -> None:
        self._client = client
        self._place = checkpoint_place(scope, bucket)

    def get(self) -> Mark | None:
        try:
            read = json.loads(self._client.get_object(**self._place)["Body"].read())
            return Mark(int(read["sequence"]), str(read["hash"]), str(read["mac"]))
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "NoSuchKey":
                return None
            raise ServiceUnavailable(log=f"audit checkpoint: {error}") from error
        except BotoCoreError as error:
            raise ServiceUnavailable(log=f"audit checkpoint: {error}") from error
        except (ValueError, KeyError, TypeError):
            return Mark(1, "", "")  # tampered with: fits no log

    def put(self, head: Mark) -> None:
        body = json.dumps(vars(head)).encode()
        try:
            self._client.put_object(**self._place, Body=body, ContentType="application/json")
        except (ClientError, BotoCoreError) as error:
            raise ServiceUnavailable(log=f"audit checkpoint: {error}") from error


def _condition(filters: AuditFilters) -> Condition | None:
    parts: list[Condition] = []
    if filters.from_ is not None:
        parts.append(AuditItem.created_at >= filters.from_)
    if filters.to is not None:
        parts.append(AuditItem.created_at <= filters.to)
    if filters.actor is not None:
        parts.append(
            (AuditItem.actor_id == filters.actor) | (AuditItem.actor_email == filters.actor)
        )
    if filters.action is not None:
        parts.append(AuditItem.action == filters.action)
    whole: Condition | None = None
    for part in parts:
        whole = part if whole is None else whole & part
    return whole


def entry_from(item: AuditItem) -> Entry:
    """The entry of a stored row."""
    number = item.sk.removeprefix(_PREFIX)
    place = int(number) if number.isascii() and number.isdigit() else 0
    return Entry(
        place if audit_sk(place) == item.sk else 0,
        item.body, item.prev_hash, item.hash, item.mac, item.timestamp, item.actor_id,
        item.actor_email, item.action, item.created_at,
        item.updated_at == item.created_at and int(item.schema_version) == 1,
    )  # fmt: skip
