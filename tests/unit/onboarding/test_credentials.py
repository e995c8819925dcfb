"""Access keys on in-memory twins: whose they are, where they go, what is said of them."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from tidegate.onboarding.credentials import GivenKeys, KeyConnector, masked, open_keys
from tidegate.onboarding.errors import (
    AccountAlreadyConnected,
    AccountMismatch,
    InvalidAwsCredentials,
    RootKeysRefused,
)
from tidegate.onboarding.keys import KeyReader
from tidegate.onboarding.public import connection_of, warnings_of
from tidegate_kit.aws_session import CustomerSession, Keys
from tidegate_kit.crypto import SealBroken
from tidegate_kit.errors import ServiceUnavailable

from tests.builders.settings import CUSTOMER_ACCOUNT, PLATFORM_ACCOUNT
from tests.fakes.onboarding import PlainSealer
from tests.unit.onboarding.conftest import TENANT, Bench

KEY, SECRET = "AKIAEXAMPLEEXAMPLE12", "a-canary-secret"
USER = f"arn:aws:iam::{CUSTOMER_ACCOUNT}:user/reader"


class FakeAws(CustomerSession):
    """STS and IAM of one pair of keys."""

    def __init__(self, arn: str = USER, error: Exception | None = None) -> None:
        super().__init__(Keys("id", "secret"))
        self.arn = arn
        self.error = error
        self.policies: list[str] = []
        self.inline: list[dict[str, Any]] = []
        self.groups: list[str] = []
        self.iam_error: Exception | None = None

    def client(self, service: str, region: str) -> Any:
        return self

    def get_caller_identity(self) -> dict[str, str]:
        if self.error is not None:
            raise self.error
        return {"Account": self.arn.split(":")[4], "Arn": self.arn}

    def list_attached_user_policies(self, UserName: str) -> Any:
        if self.iam_error is not None:
            raise self.iam_error
        return {"AttachedPolicies": [{"PolicyName": name} for name in self.policies]}

    def list_user_policies(self, UserName: str) -> Any:
        return {"PolicyNames": [str(n) for n in range(len(self.inline))]}

    def get_user_policy(self, UserName: str, PolicyName: str) -> Any:
        return {"PolicyDocument": self.inline[int(PolicyName)]}

    def list_groups_for_user(self, UserName: str) -> Any:
        return {"Groups": [{"GroupName": name} for name in self.groups]}

    def list_attached_group_policies(self, GroupName: str) -> Any:
        return {"AttachedPolicies": [{"PolicyName": GroupName}]}


def refused(code: str, message: str = "no") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "GetCallerIdentity")


def connector(bench: Bench, aws: FakeAws, tenant: str = TENANT) -> KeyConnector:
    return KeyConnector(
        bench.table.store_of(tenant),
        KeyReader(lambda key, secret: aws, "us-east-1"),
        PlainSealer(),
        PLATFORM_ACCOUNT,
        bench.clock,
        bench.new_id,
    )


def given(**changes: Any) -> GivenKeys:
    return GivenKeys(KEY, SECRET, **changes)


def test_keys_are_stored_sealed_to_their_place(bench: Bench) -> None:
    made = connector(bench, FakeAws()).connect(TENANT, "u", given(label="L"))
    row = made.registration
    assert (made.created, made.over_privileged, row.status) == (True, False, "connected")
    assert (row.label, row.access_key_masked) == ("L", "***LE12")
    assert open_keys(PlainSealer(), row) == (KEY, SECRET)
    assert SECRET not in repr(row)
    assert KEY not in repr(given())
    from dataclasses import replace

    for moved in ({"tenant_id": "other"}, {"id": "other"}, {"sealed_keys": None}):
        with pytest.raises(SealBroken):
            open_keys(PlainSealer(), replace(row, **moved))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (refused("InvalidClientTokenId"), InvalidAwsCredentials),
        (refused("SignatureDoesNotMatch"), InvalidAwsCredentials),
        (refused("ExpiredToken"), InvalidAwsCredentials),
        (refused("AccessDenied"), InvalidAwsCredentials),
        (refused("SignatureDoesNotMatch", "Signature expired: 2026"), ServiceUnavailable),
        (refused("RequestTimeTooSkewed"), ServiceUnavailable),
        (refused("Throttling"), ServiceUnavailable),
        (refused("InternalFailure"), ServiceUnavailable),
        (EndpointConnectionError(endpoint_url="https://sts"), ServiceUnavailable),
    ],
)
def test_only_answers_about_the_keys_refuse_them(
    bench: Bench, error: Exception, expected: type[Exception]
) -> None:
    with pytest.raises(expected):
        connector(bench, FakeAws(error=error)).connect(TENANT, "u", given())
    assert bench.table.rows == {}


def test_root_keys_are_refused(bench: Bench) -> None:
    with pytest.raises(RootKeysRefused):
        connector(bench, FakeAws(f"arn:aws:iam::{CUSTOMER_ACCOUNT}:root")).connect(
            TENANT, "u", given()
        )
    assert bench.table.rows == {}


@pytest.mark.parametrize("arn", [USER, f"arn:aws:iam::{PLATFORM_ACCOUNT}:user/x"])
def test_the_account_must_be_the_declared_one_and_not_ours(bench: Bench, arn: str) -> None:
    with pytest.raises(AccountMismatch):
        connector(bench, FakeAws(arn)).connect(TENANT, "u", given(account_id="333333333333"))
    assert bench.table.rows == {}


@pytest.mark.parametrize(
    ("changes", "broad"),
    [
        ({}, False),
        ({"policies": ["ReadOnlyAccess"]}, False),
        ({"policies": ["AdministratorAccess"]}, True),
        ({"groups": ["PowerUserAccess"]}, True),
        ({"inline": [{"Statement": {"Effect": "Allow", "Action": "*"}}]}, True),
        ({"inline": [{"Statement": [{"Effect": "Allow", "Action": ["s3:*", "*"]}]}]}, True),
        ({"inline": [{"Statement": [{"Effect": "Deny", "Action": "*"}]}]}, False),
        ({"iam_error": refused("AccessDenied")}, False),
        ({"arn": f"arn:aws:sts::{CUSTOMER_ACCOUNT}:assumed-role/x/y"}, False),
    ],
)
def test_keys_that_may_do_everything_are_noted(
    bench: Bench, changes: dict[str, Any], broad: bool
) -> None:
    aws = FakeAws()
    vars(aws).update(changes)
    made = connector(bench, aws).connect(TENANT, "u", given())
    assert made.over_privileged is broad


def test_new_keys_replace_old_ones_and_keep_the_connection(bench: Bench) -> None:
    aws = FakeAws()
    first = connector(bench, aws).connect(TENANT, "u", given(regions=("eu-west-1",)))
    bench.clock.advance(days=91)
    assert connection_of(first.registration, bench.clock()).warnings[-1].code == (
        "KEYS_DUE_FOR_ROTATION"
    )
    again = connector(bench, aws).connect(TENANT, "u", GivenKeys("AKIANEWNEWNEWNEW1234", "new"))
    row = again.registration
    assert again.created is False
    assert (row.id, row.connected_at) == (first.registration.id, first.registration.connected_at)
    assert row.regions == ("eu-west-1",)
    assert row.discovery_run_id == first.registration.discovery_run_id
    assert open_keys(PlainSealer(), row)[1] == "new"
    assert [w.code for w in warnings_of(row, bench.clock())] == ["LONG_LIVED_KEYS"]


def test_an_account_of_another_tenant_or_a_role_stays(bench: Bench) -> None:
    other = "1a1b2c3d-0000-4000-8000-00000000000b"
    bench.connected(other)
    for tenant in (TENANT, other):
        with pytest.raises(AccountAlreadyConnected):
            connector(bench, FakeAws(), tenant).connect(tenant, "u", given())
    assert bench.table.claims[CUSTOMER_ACCOUNT].tenant_id == other


def test_a_recheck_loses_and_restores_access(bench: Bench) -> None:
    aws = FakeAws()
    made = connector(bench, aws).connect(TENANT, "u", given()).registration
    aws.error = refused("InvalidClientTokenId")
    lost = connector(bench, aws).recheck(made, "reprobe")
    assert (lost.status, lost.alert) == ("access_lost", "ACCESS_LOST")
    assert lost.refusal is not None
    assert lost.refusal.code == "INVALID_AWS_CREDENTIALS"
    assert CUSTOMER_ACCOUNT in bench.table.claims
    aws.error = None
    assert connector(bench, aws).recheck(lost, "reprobe").status == "connected"
    aws.arn = "arn:aws:iam::333333333333:user/other"
    assert connector(bench, aws).recheck(bench.row(made), "reprobe").status == "access_lost"


def test_a_recheck_without_an_answer_changes_nothing(bench: Bench) -> None:
    aws = FakeAws()
    made = connector(bench, aws).connect(TENANT, "u", given()).registration
    aws.error = refused("Throttling")
    with pytest.raises(ServiceUnavailable):
        connector(bench, aws).recheck(made, "reprobe")
    assert bench.row(made) == made


def test_a_recheck_of_replaced_keys_says_nothing_of_the_new_ones(bench: Bench) -> None:
    aws = FakeAws()
    made = connector(bench, aws).connect(TENANT, "u", given()).registration
    connector(bench, aws).connect(TENANT, "u", GivenKeys("AKIANEWNEWNEWNEW1234", "new"))
    aws.error = refused("InvalidClientTokenId")
    assert connector(bench, aws).recheck(made, "reprobe").status == "connected"


def test_short_keys_are_masked_whole() -> None:
    assert (masked("AKIA"), masked("12345678")) == ("***", "***5678")
