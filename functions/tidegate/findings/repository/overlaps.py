"""Savings that exclude each other, as the last refresh of a region has seen them.

    pk            sk
    T#<t>         OVERLAP#<account>#<generation>#<region>#<number>

Written with the states of the region, so that a total needs no finding to be read.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from pynamodb.attributes import BinaryAttribute, NumberAttribute, UnicodeAttribute
from tidegate_kit.dynamo import store_errors
from tidegate_kit.tenancy import TenantScope, key

from tidegate.findings.models import FindingsTable
from tidegate.findings.overlap import Claim, Cluster
from tidegate.findings.repository.ports import Living

# Ids do not compress: about 100 octets a cluster, so a row is far from the limit of 400 KB.
CLUSTERS_OF_A_ROW: Final = 1000


class OverlapItem(FindingsTable):
    """Some clusters of a region: `body` is compressed JSON."""

    account_id = UnicodeAttribute()
    generation = NumberAttribute()
    body = BinaryAttribute(legacy_encoding=False)


def save_overlaps(
    scope: TenantScope,
    place: tuple[str, int, str],
    clusters: Sequence[Cluster],
    now: datetime,
) -> None:
    """Replace the clusters of (account, generation, region)."""
    account_id, generation, region = place
    prefix = key("OVERLAP", account_id, str(generation), region) + "#"
    with store_errors():
        known = [
            row.sk
            for row in OverlapItem.query(
                scope.pk,
                OverlapItem.sk.startswith(prefix),
                consistent_read=True,
                attributes_to_get=["pk", "sk"],
            )
        ]
        for start in range(0, len(clusters), CLUSTERS_OF_A_ROW):
            name = f"{prefix}{start // CLUSTERS_OF_A_ROW:06d}"
            OverlapItem(
                scope.pk,
                name,
                account_id=account_id,
                generation=generation,
                body=_packed(clusters[start : start + CLUSTERS_OF_A_ROW]),
                created_at=now,
                updated_at=now,
            ).save()
            known = [sk for sk in known if sk != name]
        for sk in known:
            OverlapItem(scope.pk, sk).delete()


def overlaps(scope: TenantScope, living: Living) -> list[Cluster]:
    """The clusters of the present generations."""
    present = living.every()
    with store_errors():
        rows = list(
            OverlapItem.query(scope.pk, OverlapItem.sk.startswith("OVERLAP#"), consistent_read=True)
        )
    return [
        cluster
        for row in rows
        if present.get(row.account_id) == int(row.generation)
        for cluster in _unpacked(row.body)
    ]


def _packed(clusters: Sequence[Cluster]) -> bytes:
    body = []
    for cluster in clusters:
        # Only which things are common matters, so they are numbered.
        names = sorted({thing for claim in cluster for thing in claim.things})
        number = {name: place for place, name in enumerate(names)}
        body.append([_row(claim, number) for claim in cluster])
    return zlib.compress(json.dumps(body, separators=(",", ":")).encode())


def _row(claim: Claim, number: Mapping[str, int]) -> list[object]:
    things = sorted(number[thing] for thing in claim.things)
    return [claim.finding_id, claim.check_id, str(claim.monthly), things]


def _unpacked(body: bytes) -> list[Cluster]:
    return [
        tuple(
            Claim(id_, check_id, Decimal(monthly), frozenset(map(str, things)))
            for id_, check_id, monthly, things in cluster
        )
        for cluster in json.loads(zlib.decompress(body))
    ]
