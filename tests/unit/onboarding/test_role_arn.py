"""Role ARNs: only ordinary roles of one partition are read."""

from __future__ import annotations

import pytest
from tidegate.onboarding.role_arn import default_role_arn, read_role_arn

ACCOUNT = "222222222222"


@pytest.mark.parametrize(
    ("text", "name", "path"),
    [
        (f"arn:aws:iam::{ACCOUNT}:role/Tide", "Tide", ""),
        (f"arn:aws:iam::{ACCOUNT}:role/a/b/Tide+=,.@-_1", "Tide+=,.@-_1", "a/b/"),
    ],
)
def test_ordinary_roles_are_read(text: str, name: str, path: str) -> None:
    read = read_role_arn(text, "aws")
    assert read is not None
    assert (read.name, read.path, read.account_id, read.text) == (name, path, ACCOUNT, text)


REFUSED = [
    "", "role", f"arn:aws:iam::{ACCOUNT}:user/x", f"arn:aws:iam::{ACCOUNT}:root",
    f"arn:aws-cn:iam::{ACCOUNT}:role/x", f"arn:aws-us-gov:iam::{ACCOUNT}:role/x",
    f"arn:aws:sts::{ACCOUNT}:assumed-role/x/s", f"arn:aws:iam::{ACCOUNT}:role/",
    f"arn:aws:iam::{ACCOUNT}:role/*", f"arn:aws:iam::{ACCOUNT}:role/x?",
    f"arn:aws:iam::{ACCOUNT}:role/x\n", f"\narn:aws:iam::{ACCOUNT}:role/x",
    f"arn:aws:iam::{ACCOUNT}:role/a/../x", f"arn:aws:iam::{ACCOUNT}:role/./x",
    f"arn:aws:iam::{ACCOUNT}:role//x", f"arn:aws:iam::{ACCOUNT}:role/..",
    f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/ec2.amazonaws.com/AWSServiceRoleForEC2",
    f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_x",
    f"arn:aws:iam::{ACCOUNT}:role/AWSServiceRoleForSupport",
    f"arn:aws:iam::{ACCOUNT}1:role/x", "arn:aws:iam::22222222222:role/x",
    "arn:aws:iam::٢٢٢٢٢٢٢٢٢٢٢٢:role/x", f"arn:aws:iam:us-east-1:{ACCOUNT}:role/x",
    f"arn:aws:iam::{ACCOUNT}:role/x:y", f"arn:aws:iam::{ACCOUNT}:role/x y",
    f"arn:aws:iam::{ACCOUNT}:role/${{aws:username}}", f"ARN:aws:iam::{ACCOUNT}:role/x",
    f"arn:aws:iam::{ACCOUNT}:role/{'x' * 65}", f"arn:aws:iam::{ACCOUNT}:role/é",
    f"arn:aws:s3:::{ACCOUNT}/role/x", f"arn:aws:iam::{ACCOUNT}:role/x%2f..", "x" * 10_000,
]  # fmt: skip


@pytest.mark.parametrize("text", REFUSED, ids=range(len(REFUSED)))
def test_everything_else_is_refused(text: str) -> None:
    assert read_role_arn(text, "aws") is None


def test_the_default_is_the_templates_role() -> None:
    text = default_role_arn("aws", ACCOUNT, "TidegateAccess-01234567")
    assert read_role_arn(text, "aws") is not None
