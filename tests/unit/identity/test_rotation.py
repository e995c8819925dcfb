"""AUTH-10: keys are published before use, rotate monthly, and verify to the end of their tokens."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from tidegate.identity.keys import KeyVault, PrivateKey, new_private_key, parse_ring
from tidegate.identity.service.rotation import KeyRotation
from tidegate_kit.auth.tokens import PublicKey, public_key
from tidegate_kit.clock import FixedClock

from tests.fakes.identity import Memory, MemoryPublicKeys


class Deployment:
    """A secret and published keys in memory; `failing` names the step that breaks once."""

    def __init__(self) -> None:
        self.clock = FixedClock()
        self.text = '{"keys":[]}'
        self.writes = 0
        self.failing = ""
        self.keys = MemoryPublicKeys(Memory())
        self.rotation = KeyRotation(self, self.keys, "test", self.clock)
        self.vault = KeyVault(self.read, self.published, "test")

    def read(self) -> str:
        return self.text

    def write(self, text: str) -> None:
        if self.failing == "write":
            self.failing = ""
            raise ConnectionError("the answer was lost")
        self.writes += 1
        self.text = text

    def published(self) -> dict[str, PublicKey]:
        return {
            item.kid: public_key(item.kid, item.x, item.y, item.status, item.retire_after)
            for item in self.keys.all()
        }

    def statuses(self) -> list[str]:
        return sorted(item.status for item in self.keys.all())

    def signer(self) -> str:
        return self.vault.signer(self.clock).kid


@pytest.fixture
def deployment() -> Deployment:
    return Deployment()


def test_the_first_run_makes_a_key_that_signs_at_once(deployment: Deployment) -> None:
    deployment.rotation.run()
    (key,) = parse_ring(deployment.text, "test")
    assert deployment.signer() == key.kid
    assert deployment.statuses() == ["active"]


def test_a_second_run_changes_nothing(deployment: Deployment) -> None:
    deployment.rotation.run()
    deployment.rotation.run()
    assert deployment.writes == 1


def test_every_token_verifies_for_its_whole_life(deployment: Deployment) -> None:
    """Hourly runs for 100 days, each hour a token of the longest life."""
    clock = deployment.clock
    deployment.rotation.run()
    kids, first_seen = [deployment.signer()], {deployment.signer(): clock()}
    pending: list[tuple[str, datetime]] = []
    for _ in range(100 * 24):
        clock.advance(hours=1)
        deployment.rotation.run()
        ring = deployment.published()
        for kid in ring:
            first_seen.setdefault(kid, clock())
        if deployment.signer() not in kids:
            kids.append(deployment.signer())
            assert clock() - first_seen[kids[-1]] >= timedelta(minutes=10)
        pending = [(kid, end) for kid, end in pending if end >= clock()]
        assert all(ring[kid].verifies_at(clock()) for kid, _ in pending)
        pending.append((kids[-1], clock() + timedelta(hours=1, seconds=60)))
    assert len(kids) == 4
    assert len(parse_ring(deployment.text, "test")) == 1


def test_an_old_key_ends_after_its_last_token(deployment: Deployment) -> None:
    clock = deployment.clock
    deployment.rotation.run()
    old = deployment.signer()
    clock.advance(days=30)
    deployment.rotation.run()
    assert deployment.statuses() == ["active", "published"]
    clock.advance(hours=2)
    deployment.rotation.run()
    assert deployment.signer() != old
    assert deployment.published()[old].verifies_at(clock() + timedelta(hours=1, seconds=60))
    clock.advance(hours=1, minutes=3)
    deployment.rotation.run()
    assert not deployment.published()[old].verifies_at(clock())
    assert deployment.statuses() == ["active", "retired"]
    assert old not in deployment.text
    clock.advance(days=29)
    clock.advance(days=2)
    deployment.rotation.run()
    assert old not in deployment.published()


def test_a_run_that_dies_between_the_stores_heals(deployment: Deployment) -> None:
    deployment.failing = "write"
    with pytest.raises(ConnectionError):
        deployment.rotation.run()
    (orphan,) = deployment.keys.all()
    deployment.rotation.run()
    assert deployment.signer() != orphan.kid
    assert deployment.statuses() == ["active", "retired"]


def test_a_compromised_key_is_replaced_at_once(deployment: Deployment) -> None:
    deployment.rotation.run()
    bad = deployment.signer()
    deployment.keys.mark(bad, "compromised", None, deployment.clock())
    deployment.rotation.run()
    deployment.clock.advance(seconds=60)
    assert deployment.signer() != bad
    assert bad not in deployment.text
    assert not deployment.published()[bad].verifies_at(deployment.clock())


def test_only_one_run_at_a_time(deployment: Deployment) -> None:
    deployment.keys.lease(deployment.clock() + timedelta(minutes=1), deployment.clock())
    assert deployment.rotation.run() == {"busy": True}
    assert deployment.keys.all() == []


def test_the_lease_is_given_back_after_a_failure(deployment: Deployment) -> None:
    deployment.text = "broken"
    with pytest.raises(Exception, match="does not answer"):
        deployment.rotation.run()
    deployment.text = '{"keys":[]}'
    assert deployment.rotation.run()["busy"] is False


def test_the_ring_survives_a_round_trip() -> None:
    clock = FixedClock()
    key = new_private_key("test", clock())
    ended = PrivateKey(key.kid, key.key, clock(), clock() + timedelta(hours=1), "test")
    (read,) = parse_ring(json.dumps({"keys": [ended.as_json()]}), "test")
    assert (read.kid, read.retire_after, read.coordinates) == (
        key.kid, ended.retire_after, key.coordinates,
    )  # fmt: skip
    assert "PRIVATE" not in repr(read)


def test_the_vault_reads_the_store_once_a_minute(deployment: Deployment) -> None:
    deployment.rotation.run()
    reads: list[int] = []

    def counted(read: Callable[[], str]) -> Callable[[], str]:
        def run() -> str:
            reads.append(1)
            return read()

        return run

    vault = KeyVault(counted(deployment.read), deployment.published, "test")
    for _ in range(10):
        vault.signer(deployment.clock)
    assert len(reads) == 1
    deployment.clock.advance(seconds=60)
    vault.signer(deployment.clock)
    assert len(reads) == 2
