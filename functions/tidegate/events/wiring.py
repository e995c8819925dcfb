"""Builds the publisher on this deployment."""

from __future__ import annotations

from functools import cache

from tidegate_kit.clients import platform_client
from tidegate_kit.observability import identify
from tidegate_kit.settings import settings_of

from tidegate.events.bus import EventBridgeBus
from tidegate.events.mappings import MAPPINGS
from tidegate.events.publisher import Publisher
from tidegate.events.settings import EventsSettings


def publisher() -> Publisher:
    """The publisher of this process. Raises SettingsError naming what is missing."""
    return _publisher(settings_of(EventsSettings))


@cache
def _publisher(settings: EventsSettings) -> Publisher:
    identify(settings, "events")
    client = platform_client("events", settings.aws_region)
    return Publisher(
        MAPPINGS, EventBridgeBus(client, settings.event_bus_name), settings.table_prefix
    )
