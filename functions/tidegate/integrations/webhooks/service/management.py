"""Webhooks of a tenant: made, changed, rotated, deleted (INT-5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tidegate_kit.clock import Clock
from tidegate_kit.errors import Detail, NotFound, Unprocessable
from tidegate_kit.webhooks import WebhookSecrets, new_webhook_secret

from tidegate.integrations.errors import ChangedMeanwhile
from tidegate.integrations.vault import Vault
from tidegate.integrations.webhooks.domain import (
    DEFAULT_ID,
    EVERY_TYPE,
    MAX_WEBHOOKS,
    Webhook,
    unknown_types,
)
from tidegate.integrations.webhooks.errors import DefaultStays, TooManyWebhooks
from tidegate.integrations.webhooks.repository import Webhooks

_ATTEMPTS = 5


@dataclass(frozen=True)
class WithSecret:
    """A webhook and its plain secret, which is shown once."""

    webhook: Webhook
    secret: str


class WebhookService:
    """Webhooks of one tenant. `check_url` refuses addresses that may not be called (INT-7)."""

    def __init__(
        self,
        webhooks: Webhooks,
        vault: Vault,
        check_url: Callable[[str], None],
        event_types: frozenset[str],
        clock: Clock,
    ) -> None:
        self._webhooks = webhooks
        self._vault = vault
        self._check_url = check_url
        self._event_types = event_types
        self._clock = clock

    def all(self) -> list[Webhook]:
        """Newest first, the default among them."""
        self.default()
        return self._webhooks.all()

    def get(self, webhook_id: str) -> Webhook:
        """Raises NotFound."""
        if webhook_id == DEFAULT_ID:
            return self.default()
        found = self._webhooks.get(webhook_id)
        if found is None:
            raise NotFound
        return found

    def default(self) -> Webhook:
        """The one that signs `webhook_url` deliveries; made when it is first asked for."""
        found = self._webhooks.get(DEFAULT_ID)
        if found is not None:
            return found
        made = self._new(DEFAULT_ID, "", (EVERY_TYPE,), enabled=True)
        try:
            self._webhooks.save(made.webhook)
        except ChangedMeanwhile:
            # Somebody else made it at the same moment; theirs is the one.
            return self.get_stored(DEFAULT_ID)
        return made.webhook

    def get_stored(self, webhook_id: str) -> Webhook:
        """As stored, nothing made. Raises NotFound."""
        found = self._webhooks.get(webhook_id)
        if found is None:
            raise NotFound
        return found

    def create(
        self, webhook_id: str, url: str, event_types: Sequence[str], *, enabled: bool
    ) -> WithSecret:
        """A new webhook. The same id again gives the one made by it, so a call may be repeated.

        Raises Unprocessable, TooManyWebhooks, ServiceUnavailable.
        """
        self._check(url, event_types)
        existing = self._webhooks.get(webhook_id)
        if existing is not None:
            return WithSecret(existing, self.secrets(existing).current)
        if len([one for one in self._webhooks.all() if one.id != DEFAULT_ID]) >= MAX_WEBHOOKS:
            raise TooManyWebhooks
        made = self._new(webhook_id, url, tuple(event_types), enabled=enabled)
        self._webhooks.save(made.webhook)
        return made

    def change(self, webhook_id: str, fields: dict[str, Any]) -> Webhook:
        """Change url, event_types, enabled. Raises NotFound, Unprocessable, ChangedMeanwhile."""
        old = self.get(webhook_id)
        if "event_types" in fields:
            fields = {**fields, "event_types": tuple(fields["event_types"])}
        new = replace(old, **fields, version=old.version + 1, updated_at=self._clock())
        self._check(new.url if "url" in fields else None, new.event_types)
        if fields.get("enabled"):
            # A fresh start: what failed before says nothing of the mended receiver.
            new = replace(new, disabled_reason=None, delivered_at=self._clock())
        self._webhooks.save(new)
        return new

    def delete(self, webhook_id: str) -> None:
        """Its deliveries under way end as dead. Raises NotFound, DefaultStays, ChangedMeanwhile."""
        if webhook_id == DEFAULT_ID:
            raise DefaultStays
        self._webhooks.delete(self.get(webhook_id))

    def rotate(self, webhook_id: str) -> WithSecret:
        """A fresh secret; the present one signs beside it for 24 h (F18).

        Raises NotFound, ChangedMeanwhile, SealBroken, ServiceUnavailable.
        """
        old = self.get(webhook_id)
        now = self._clock()
        fresh = new_webhook_secret()
        rotated = replace(
            old,
            secret=self._seal(webhook_id, fresh, "secret"),
            previous_secret=self._seal(webhook_id, self.secrets(old).current, "previous_secret"),
            rotated_at=now,
            updated_at=now,
            version=old.version + 1,
        )
        self._webhooks.save(rotated)
        return WithSecret(rotated, fresh)

    def secrets(self, webhook: Webhook) -> WebhookSecrets:
        """The plain secrets. Raises SealBroken for those of another webhook or tenant (F19)."""
        previous = None
        if webhook.previous_secret is not None:
            previous = self._open(webhook.id, webhook.previous_secret, "previous_secret")
        current = self._open(webhook.id, webhook.secret, "secret")
        return WebhookSecrets(current, previous, webhook.rotated_at)

    def disable(self, webhook_id: str, reason: str) -> None:
        """Disable on behalf of the platform; nothing if it is gone or disabled already.

        Raises ChangedMeanwhile when it keeps changing.
        """
        for _ in range(_ATTEMPTS):
            old = self._webhooks.get(webhook_id)
            if old is None or not old.enabled:
                return
            disabled = replace(
                old, enabled=False, disabled_reason=reason, updated_at=self._clock(),
                version=old.version + 1,
            )  # fmt: skip
            try:
                self._webhooks.save(disabled)
                return
            except ChangedMeanwhile:
                continue
        raise ChangedMeanwhile

    def _new(
        self, webhook_id: str, url: str, event_types: tuple[str, ...], *, enabled: bool
    ) -> WithSecret:
        now, secret = self._clock(), new_webhook_secret()
        made = Webhook(
            id=webhook_id,
            created_at=now,
            updated_at=now,
            url=url,
            event_types=event_types,
            enabled=enabled,
            secret=self._seal(webhook_id, secret, "secret"),
        )
        return WithSecret(made, secret)

    def _check(self, url: str | None, event_types: Sequence[str]) -> None:
        problems = [
            Detail(f"event_types.{place}", "is not an event type")
            for place in unknown_types(event_types, self._event_types)
        ]
        if problems:
            raise Unprocessable(details=problems)
        if url is not None:
            self._check_url(url)

    def _seal(self, webhook_id: str, secret: str, field: str) -> str:
        return self._vault.seal(secret, f"WEBHOOK#{webhook_id}", field)

    def _open(self, webhook_id: str, sealed: str, field: str) -> str:
        return self._vault.open(sealed, f"WEBHOOK#{webhook_id}", field)
