"""Everything this domain reads and writes, one module per subject."""

from tidegate.monitoring.repository.health import (
    ForeignStore,
    GlobalHealthRepository,
    HealthRepository,
    Marker,
)

__all__ = ["ForeignStore", "GlobalHealthRepository", "HealthRepository", "Marker"]
