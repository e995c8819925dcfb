"""ElastiCache clusters, with connections of 14 days (elasticache-idle)."""

from __future__ import annotations

from typing import Any

from tidegate.discovery.collectors.base import (
    Collector,
    Draft,
    Page,
    Read,
    Reader,
    pick,
    read_tags,
)
from tidegate.discovery.collectors.metrics import GET_METRIC_DATA, Series, measure_each

DESCRIBE = Read("elasticache", "describe_cache_clusters", "elasticache:DescribeCacheClusters")
TAGS = Read("elasticache", "list_tags_for_resource", "elasticache:ListTagsForResource")
_SERIES = (
    Series("connections_max", "AWS/ElastiCache", "CurrConnections", "Maximum", 14),
    Series("new_connections", "AWS/ElastiCache", "NewConnections", "Sum", 14),
)
_PAGE_SIZE = 100


class ElastiCacheClusters(Collector):
    """elasticache:cluster."""

    service = "elasticache"
    types = ("elasticache:cluster",)
    reads = (DESCRIBE, TAGS, GET_METRIC_DATA)

    def read_page(self, reader: Reader, token: str | None) -> Page:
        """One page of clusters."""
        answer = reader.call(DESCRIBE, MaxRecords=_PAGE_SIZE, Marker=token)
        drafts = [_draft(reader, cluster) for cluster in answer.get("CacheClusters", [])]
        measure_each(reader, drafts, _SERIES, lambda draft: {"CacheClusterId": str(draft.name)})
        return reader.page([draft.found() for draft in drafts], answer.get("Marker"))


def _draft(reader: Reader, cluster: dict[str, Any]) -> Draft:
    name = cluster["CacheClusterId"]
    draft = Draft(
        arn=cluster.get("ARN") or reader.target.arn("elasticache", f"cluster:{name}"),
        type="elasticache:cluster",
        region=reader.target.region,
        name=name,
        state=cluster.get("CacheClusterStatus"),
        attributes=pick(
            cluster,
            node_type="CacheNodeType",
            nodes="NumCacheNodes",
            engine="Engine",
            engine_version="EngineVersion",
            created_at="CacheClusterCreateTime",
            replication_group_id="ReplicationGroupId",
            availability_zone="PreferredAvailabilityZone",
        ),
    )
    read_tags(reader, draft, TAGS, lambda d: d.get("TagList"), ResourceName=draft.arn)
    return draft
