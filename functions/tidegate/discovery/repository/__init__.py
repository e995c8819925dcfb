"""Storage of runs, checkpoints and the inventory (table `discovery`)."""

from __future__ import annotations

from tidegate.discovery.repository.deletion import DeletionStore
from tidegate.discovery.repository.listing import ListStore
from tidegate.discovery.repository.ports import DiscoveryRepository, Place, place_of
from tidegate.discovery.repository.rows import RowStore


class DynamoDiscoveryRepository(DeletionStore, RowStore, ListStore):
    """DiscoveryRepository on DynamoDB."""


__all__ = ["DiscoveryRepository", "DynamoDiscoveryRepository", "Place", "place_of"]
