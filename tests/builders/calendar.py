"""A user's calendar connected to a local Google, over the in-memory twins or over DynamoDB."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tidegate.calendar.domain import Content, Event
from tidegate.calendar.repository.connections import Connections, DynamoConnections
from tidegate.calendar.repository.events import DynamoEvents, Events
from tidegate.calendar.service.events import EventService
from tidegate.calendar.service.files import FileService
from tidegate.calendar.service.oauth import OAuthService, Provider
from tidegate.calendar.sync.google import GoogleClient
from tidegate.calendar.sync.report import Report
from tidegate.calendar.sync.service import SyncService
from tidegate.calendar.sync.tokens import TokenVault
from tidegate_kit.clock import FixedClock
from tidegate_kit.crypto import Sealer
from tidegate_kit.outbound import OutboundClient, OutboundPolicy
from tidegate_kit.tenancy import UserScope

from tests.fakes.calendar import MemoryConnections, MemoryEvents, MemorySealer
from tests.fakes.google_calendar import FakeGoogle, serving
from tests.fakes.google_calendar.app import CLIENT_ID, CLIENT_SECRET

SCOPE = UserScope("7c9e6679-7425-40de-944b-e07fc1f90ae7", "550e8400-e29b-41d4-a716-446655440000")
SESSION = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
REDIRECT = "http://localhost:3000/calendar/connected"
START = datetime(2026, 3, 2, 8, tzinfo=UTC)


def ids() -> Callable[[], str]:
    """Ids in the form of UUID4, counted."""
    numbers = itertools.count(1)
    return lambda: f"00000000-0000-4000-8000-{next(numbers):012x}"


def content(**changes: Any) -> Content:
    """An event's content with some fields set."""
    return Content(**{"title": "Meeting", "start": START, "end": START.replace(hour=9), **changes})


def draft(**changes: Any) -> dict[str, Any]:
    """Fields of a request, as the schemas give them."""
    return {"title": "Meeting", "start": START, "end": START.replace(hour=9), **changes}


@dataclass
class Connected:
    """One user, his calendar here and at Google."""

    google: FakeGoogle
    base_url: str
    clock: FixedClock
    events: Events
    connections: Connections
    sealer: Sealer
    scope: UserScope = SCOPE
    new_id: Callable[[], str] = field(default_factory=ids)
    waits: list[float] = field(default_factory=list)

    @property
    def client(self) -> GoogleClient:
        """The product's client of this Google."""
        return GoogleClient(
            OutboundClient(OutboundPolicy(development=True)),
            self.base_url, f"{self.base_url}/token", f"{self.base_url}/revoke",
            CLIENT_ID, CLIENT_SECRET,
        )  # fmt: skip

    @property
    def service(self) -> EventService:
        """Events."""
        return EventService(self.events, self.connections, self.clock, self.new_id)

    @property
    def files(self) -> FileService:
        """iCalendar files."""
        return FileService(self.events, self.clock, self.new_id)

    @property
    def vault(self) -> TokenVault:
        """Tokens."""
        return TokenVault(self.sealer, self.scope)

    @property
    def oauth(self) -> OAuthService:
        """The connection."""
        secrets = (f"secret-{number}-{'x' * 43}" for number in itertools.count())
        provider = Provider(f"{self.base_url}/auth", self.google.issuer, CLIENT_ID)
        return OAuthService(
            self.connections, self.vault, self.client, provider, {"http://localhost:3000"},
            self.clock, self.new_id, lambda: f"{self.new_id()}{next(secrets)}",
        )  # fmt: skip

    def connect(self) -> None:
        """Go through the whole authorisation."""
        url, _ = self.oauth.start(SESSION, REDIRECT)
        code, state = self.google.oauth.consent(url)
        self.oauth.complete(SESSION, code, state)

    def pause(self, seconds: float) -> None:
        """Waiting passes the clock's time."""
        self.waits.append(seconds)
        self.clock.advance(seconds=seconds)

    @property
    def syncing(self) -> SyncService:
        """The sync."""
        return SyncService(
            self.events, self.connections, self.client, self.vault, self.clock, self.new_id,
            self.pause,
        )  # fmt: skip

    def sync(self) -> Report:
        """One call of sync/auto."""
        return self.syncing.run()

    def later(self, **delta: float) -> None:
        """Time passes."""
        self.clock.advance(**(delta or {"minutes": 1}))

    def titles(self) -> list[str]:
        """Titles here."""
        return sorted(event.content.title for event in self.events.all())

    def google_titles(self) -> list[str]:
        """Titles at Google."""
        return sorted(one.get("summary", "") for one in self.google.calendar.living())

    def only(self) -> Event:
        """The one event here."""
        (event,) = self.events.all()
        return event


@contextlib.contextmanager
def in_memory(connect: bool = True) -> Iterator[Connected]:
    """Over the twins."""
    clock = FixedClock(datetime(2026, 3, 1, 12, tzinfo=UTC))
    google = FakeGoogle(lambda: clock())
    with serving(google) as base_url:
        world = Connected(
            google, base_url, clock, MemoryEvents(), MemoryConnections(), MemorySealer()
        )
        if connect:
            world.connect()
        yield world


@contextlib.contextmanager
def on_dynamo(sealer: Sealer, connect: bool = True) -> Iterator[Connected]:
    """Over the configured store."""
    clock = FixedClock(datetime(2026, 3, 1, 12, tzinfo=UTC))
    google = FakeGoogle(lambda: clock())
    with serving(google) as base_url:
        events, connections = DynamoEvents(SCOPE), DynamoConnections(SCOPE)
        world = Connected(google, base_url, clock, events, connections, sealer)
        if connect:
            world.connect()
        yield world
