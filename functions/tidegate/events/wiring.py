"""Builds the publisher on this deployment."""

from __future__ import annotations

from functools import cache

from tidegate_kit.clients import platform_client
from tidegate_kit.observability import identify
from tidegate_kit.settings import settings_of

from tidegate.events.audit import audit_events
from tidegate.events.bus import EventBridgeBus
from tidegate.events.dead_letters import DeadLetters
from tidegate.events.mappings import MAPPINGS
from tidegate.events.publisher import Publisher
from tidegate.events.settings import DeadLetterSettings, EventsSettings


def publisher() -> Publisher:
    """The publisher of this process. Raises SettingsError naming what is missing."""
    settings: EventsSettings = settings_of(EventsSettings)
    _identify(settings)
    return publisher_of(settings)


@cache
def _identify(settings: EventsSettings) -> None:
    identify(settings, "events")


@cache
def publisher_of(settings: EventsSettings) -> Publisher:
    """The publisher on this deployment's bus."""
    return Publisher(MAPPINGS, bus_of(settings), settings.table_prefix, audit_events)


def dead_letters() -> DeadLetters:
    """What takes messages of the dead-letter queue."""
    settings: DeadLetterSettings = settings_of(DeadLetterSettings)
    _identify(settings)
    queue = platform_client("sqs", settings.aws_region)
    return DeadLetters(bus_of(settings), queue, settings.dead_letter_archive_url)


def bus_of(settings: EventsSettings) -> EventBridgeBus:
    """The bus of this deployment."""
    client = platform_client("events", settings.aws_region)
    return EventBridgeBus(client, settings.event_bus_name)
