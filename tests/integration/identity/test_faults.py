"""H1 for identity's write flows: every AWS call fails once in four ways, then redelivery."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import boto3
import pytest
from argon2 import PasswordHasher
from tidegate.identity import opaque, tasks, wiring
from tidegate.identity.errors import InvalidCredentials, RefreshReused, ResetInvalid
from tidegate.identity.keys import parse_ring
from tidegate.identity.service import passwords
from tidegate.identity.service.credentials import Registration, Source
from tidegate.identity.service.membership import Change
from tidegate_kit import clients
from tidegate_kit.auth.authenticate import SessionRevoked, load_public_keys
from tidegate_kit.auth.models import UserItem
from tidegate_kit.auth.principal import Principal
from tidegate_kit.clock import FixedClock, system_clock
from tidegate_kit.dynamo import current_store
from tidegate_kit.errors import NotFound
from tidegate_kit.settings import Settings

from tests.builders.identity import ADA, PASSWORD, store_signing_ring
from tests.builders.members import publish_test_key
from tests.builders.settings import REGION
from tests.fakes.faults import enumerate_faults
from tests.fakes.strict_aws import StrictAws
from tests.fakes.tables import dump_tables, empty_tables

SOURCE = Source("203.0.113.1", "test", "POST /auth/login")
NEW = "a new long password"


@dataclass
class Bed:
    """Fresh tables, and what the flows hand on."""

    clock: FixedClock
    kept: dict[str, Any] = field(default_factory=dict)

    @property
    def services(self) -> wiring.Identity:
        return wiring.identity(self.clock)

    def user(self, email: str = ADA["email"]) -> UserItem:
        account = wiring.bootstrap().accounts.find(email)
        assert account is not None, f"{email} is lost"
        return account.user

    def owner(self) -> Principal:
        user = self.user()
        return Principal(
            user_id=user.id, tenant_id=user.tenant_id, email=user.email,
            roles=frozenset({"user"}), is_owner=True, session_id=None, token_id="",
            issued_at=self.clock(), via="bearer", list_key=b"k" * 32,
        )  # fmt: skip

    def rows(self, prefix: str = "") -> list[dict[str, Any]]:
        table = current_store().table_name("identity")
        found = dump_tables(boto3.client("dynamodb", region_name=REGION), [table])[table]
        return [row for row in found if row["sk"]["S"].startswith(prefix)]

    def check_whole(self, users: int, tenants: int = 1) -> None:
        """Every user has exactly one pointer, listing and e-mail key; the counts agree."""
        stored = [
            row
            for row in self.rows("USER#")
            # A removed user's note of what is to be erased begins alike.
            if "#SESSION#" not in row["sk"]["S"] and row["pk"]["S"] != "ERASURES"
        ]
        keys = [row for row in self.rows("KEY") if row["pk"]["S"].startswith("EMAIL#")]
        pointers = [row for row in self.rows("KEY") if row["pk"]["S"].startswith("USERID#")]
        found = self.rows("TENANT")
        assert len(stored) == len(keys) == len(pointers) == len(self.rows("MEMBER#")) == users
        assert {row["user_id"]["S"] for row in keys} == {row["id"]["S"] for row in stored}
        assert len(found) == tenants
        assert sum(int(row["user_count"]["N"]) for row in found) == users
        owners = [row for row in stored if row["is_owner"]["BOOL"] and row["is_active"]["BOOL"]]
        assert sum(int(row["owner_count"]["N"]) for row in found) == len(owners)


@pytest.fixture
def fresh(
    platform: Settings,
    strict_aws: StrictAws,
    table_specs: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Any]:
    """A maker of beds; `ready` prepares one outside the fault's reach."""
    store_signing_ring(platform)
    secrets = boto3.client("secretsmanager", region_name=REGION)
    ring = secrets.get_secret_value(SecretId=platform.signing_key_ref)["SecretString"]
    dynamodb = boto3.client("dynamodb", region_name=REGION)
    monkeypatch.setenv("LEGACY_BCRYPT_COST", "0")
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_argon2", quick)

    def make(*ready: Callable[[Bed], None]) -> Callable[[], Any]:
        @contextlib.contextmanager
        def bed() -> Iterator[Bed]:
            empty_tables(dynamodb, [spec for spec in table_specs if "identity" in spec.name])
            publish_test_key()
            secrets.put_secret_value(SecretId=platform.signing_key_ref, SecretString=ring)
            made = Bed(FixedClock(system_clock()))
            for step in ready:
                step(made)
            wiring._vault.cache_clear()
            yield made

        return bed

    return make


def restart(bed: Bed) -> None:
    """A new process, a little later."""
    clients.platform_client.cache_clear()
    wiring._vault.cache_clear()
    bed.clock.advance(minutes=6)


def register(bed: Bed, email: str = ADA["email"], **changes: Any) -> None:
    wish = Registration(**{**ADA, "email": email, **changes})
    bed.services.credentials.register(wish)


def registered(bed: Bed) -> None:
    register(bed)


def with_bob(bed: Bed) -> None:
    invited = bed.services.membership.invite(bed.owner(), "bob@example.com", frozenset({"user"}))
    register(bed, "bob@example.com", invitation_token=invited.token)


@pytest.mark.hazard("H1")
def test_registering(fresh: Callable[..., Any]) -> None:
    """H1: a registration repeated under its key makes one whole tenant."""

    def flow(bed: Bed) -> None:
        register(bed, effect_key="e" * 64)

    enumerate_faults(
        flow, flow, lambda bed: bed.check_whole(users=1), fresh(), name="register",
        restart=restart,
    )  # fmt: skip


@pytest.mark.hazard("H1")
def test_joining(fresh: Callable[..., Any]) -> None:
    """H1: an accepted invitation repeated under its key makes one member."""

    def invited(bed: Bed) -> None:
        bed.kept["token"] = bed.services.membership.invite(
            bed.owner(), "bob@example.com", frozenset({"user"})
        ).token

    def flow(bed: Bed) -> None:
        token = bed.kept["token"]
        register(bed, "bob@example.com", invitation_token=token, effect_key="e" * 64)

    enumerate_faults(
        flow, flow, lambda bed: bed.check_whole(users=2), fresh(registered, invited),
        name="join", restart=restart,
    )  # fmt: skip


@pytest.mark.hazard("H1")
def test_inviting(fresh: Callable[..., Any]) -> None:
    """H1: an invitation repeated under its key is one invitation, whose last token works."""

    def flow(bed: Bed) -> None:
        made = bed.services.membership.invite(
            bed.owner(), "bob@example.com", frozenset({"user"}), "e" * 64
        )
        bed.kept["token"] = made.token

    def check(bed: Bed) -> None:
        (row,) = bed.rows("INVITE#")
        assert row["token_hash"]["S"] == opaque.digest(bed.kept["token"])

    enumerate_faults(flow, flow, check, fresh(registered), name="invite", restart=restart)


@pytest.mark.hazard("H1")
def test_signing_in(fresh: Callable[..., Any]) -> None:
    """H1: a login that failed on the way can be repeated; its session is whole or absent."""

    def flow(bed: Bed) -> None:
        proved = bed.services.credentials.prove(ADA["email"], PASSWORD, SOURCE)
        bed.services.sessions.open(proved, SOURCE)

    def check(bed: Bed) -> None:
        bed.check_whole(users=1)
        assert bed.services.sessions.living(bed.owner().user)

    enumerate_faults(flow, flow, check, fresh(registered), name="login", restart=restart)


def signed_in(bed: Bed) -> None:
    proved = bed.services.credentials.prove(ADA["email"], PASSWORD, SOURCE)
    bed.kept["refresh"] = bed.services.sessions.open(proved, SOURCE).refresh_token


@pytest.mark.hazard("H1")
def test_refreshing(fresh: Callable[..., Any]) -> None:
    """H1: a refresh whose answer was lost never leaves two usable tokens of one family."""

    def flow(bed: Bed) -> None:
        sessions = bed.services.sessions
        sessions.rotate(sessions.present(bed.kept["refresh"]))

    def check(bed: Bed) -> None:
        (session,) = [row for row in bed.rows("USER#") if "#SESSION#" in row["sk"]["S"]]
        rotated = {row["sk"]["S"].removeprefix("ROTATED#") for row in bed.rows("ROTATED#")}
        assert session["refresh_hash"]["S"] not in rotated
        assert len(rotated) == 1

    enumerate_faults(
        flow, flow, check, fresh(registered, signed_in), name="refresh", restart=restart,
        tolerated=(RefreshReused, SessionRevoked),
    )  # fmt: skip


@pytest.mark.hazard("H1")
def test_changing_a_member(fresh: Callable[..., Any]) -> None:
    """H1: a change of ownership repeated counts once."""

    def flow(bed: Bed) -> None:
        bob = bed.user("bob@example.com")
        wish = Change(frozenset({"client"}), is_owner=True)
        bed.services.membership.change(bed.owner(), bob.id, wish)

    def check(bed: Bed) -> None:
        bed.check_whole(users=2)
        bob = bed.user("bob@example.com")
        assert (bob.roles, bob.is_owner) == ({"client"}, True)

    enumerate_faults(
        flow, flow, check, fresh(registered, with_bob), name="change member", restart=restart
    )


@pytest.mark.hazard("H1")
def test_removing_a_member(fresh: Callable[..., Any]) -> None:
    """H1: a removal repeated removes once and leaves only the note of what is to be erased."""

    def noted(bed: Bed) -> None:
        bed.kept["bob"] = bed.user("bob@example.com").id

    def flow(bed: Bed) -> None:
        owner = bed.owner()
        bed.services.membership.remove(owner.tenant, bed.kept["bob"])

    enumerate_faults(
        flow, flow, lambda bed: bed.check_whole(users=1), fresh(registered, with_bob, noted),
        name="remove member", restart=restart, tolerated=(NotFound,),
    )  # fmt: skip


@pytest.mark.hazard("H1")
def test_resetting_a_password(fresh: Callable[..., Any]) -> None:
    """H1: a reset repeated sets the password once; the old one is dead."""

    def offered(bed: Bed) -> None:
        found = bed.services.recovery.offer(ADA["email"])
        assert found is not None
        bed.kept["token"] = found.token

    def flow(bed: Bed) -> None:
        bed.services.recovery.reset(bed.kept["token"], NEW)

    def check(bed: Bed) -> None:
        bed.services.credentials.prove(ADA["email"], NEW, SOURCE)
        with pytest.raises(InvalidCredentials):
            bed.services.credentials.prove(ADA["email"], PASSWORD, SOURCE)

    enumerate_faults(
        flow, flow, check, fresh(registered, offered), name="reset", restart=restart,
        tolerated=(ResetInvalid,),
    )  # fmt: skip


@pytest.mark.hazard("H1")
def test_mailing_a_reset(fresh: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """H1: the mail task may run again; the token of the last mail is the one that works."""
    sent: list[Any] = []

    class Recording:
        def send(self, mail: Any) -> None:
            sent.append(mail)

    monkeypatch.setattr(wiring, "mailer", Recording)
    image = {"pk": {"S": "RESET#x"}, "sk": {"S": "REQUEST"}, "email": {"S": ADA["email"]}}
    record = {"eventName": "INSERT", "dynamodb": {"SequenceNumber": "1", "NewImage": image}}

    def flow(bed: Bed) -> None:
        monkeypatch.setattr(tasks, "system_clock", bed.clock)
        failed = tasks.send_mail({"Records": [record]}, None)["batchItemFailures"]
        if failed:
            raise ConnectionError("the stream brings it again")

    def check(bed: Bed) -> None:
        token = sent[-1].body.split("#token=")[1].split()[0]
        stored = bed.user()
        assert stored.reset_hash == opaque.digest(token)

    enumerate_faults(flow, flow, check, fresh(registered), name="reset mail", restart=restart)


@pytest.mark.hazard("H1")
def test_rotating_keys(fresh: Callable[..., Any], platform: Settings) -> None:
    """H1: a rotation that dies anywhere is finished by the next run, and somebody can sign."""

    def due(bed: Bed) -> None:
        bed.clock.now = system_clock() + timedelta(days=31)

    def flow(bed: Bed) -> None:
        wiring.key_rotation(bed.clock).run()

    def check(bed: Bed) -> None:
        secret = boto3.client("secretsmanager", region_name=REGION).get_secret_value(
            SecretId=platform.signing_key_ref
        )["SecretString"]
        ring = parse_ring(secret, "test")
        published = load_public_keys()
        assert len(ring) == 2
        assert {key.kid for key in ring} <= set(published)
        assert json.loads(secret)
        assert wiring._vault(wiring.start_task()).signer(bed.clock).kid in published

    enumerate_faults(flow, flow, check, fresh(due), name="rotate keys", restart=restart)


def test_a_mail_that_fails_is_named_for_redelivery(
    fresh: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def send(self, mail: Any) -> None:
            raise ConnectionError("no mail service")

    monkeypatch.setattr(wiring, "mailer", Broken)
    image = {"pk": {"S": "RESET#x"}, "sk": {"S": "REQUEST"}, "email": {"S": ADA["email"]}}
    records = [
        {"eventName": "INSERT", "dynamodb": {"SequenceNumber": "7", "NewImage": image}},
        {"eventName": "MODIFY", "dynamodb": {"SequenceNumber": "8", "NewImage": image}},
    ]
    with fresh(registered)():
        answer = tasks.send_mail({"Records": records}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "7"}]}
