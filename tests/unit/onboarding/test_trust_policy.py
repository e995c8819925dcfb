"""The judge of trust policies, on policies as customers write them."""

from __future__ import annotations

from typing import Any

import pytest
from tidegate.onboarding.trust_policy import FIXES, judge

from tests.builders.trust_policies import CASES, TrustCase

ROLE = "arn:aws:iam::123456789012:role/tidegate-test-onboarding"
EXTERNAL_ID = "3f0c1a52-1f57-4c3c-9f0e-7d5f6f1d2b11"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_policy_is_judged_as_it_reads(case: TrustCase) -> None:
    found = judge(case.make(ROLE, EXTERNAL_ID), ROLE, EXTERNAL_ID)
    assert (found.code if found else None) == case.judged
    if found is not None:
        assert found.fix == FIXES[found.code]


def test_there_are_enough_policies_of_each_kind() -> None:
    codes = [case.verified for case in CASES]
    assert len(CASES) >= 40
    for code in (None, "EXTERNAL_ID_NOT_ENFORCED", "EXTERNAL_ID_NOT_CHECKED", "TRUST_TOO_BROAD"):
        assert codes.count(code) >= 5


@pytest.mark.parametrize(
    "document",
    [
        None, "text", 7, [], {}, {"Statement": "x"}, {"Statement": [7]},
        {"Statement": [{"Effect": "Perhaps"}]},
        {"Statement": [{"Effect": "Allow", "Principal": 7}]},
        {"Statement": [{"Effect": "Allow", "Principal": {"AWS": {"a": 1}}}]},
        {"Statement": [{"Effect": "Allow", "Condition": "x"}]},
        {"Statement": [{"Effect": "Allow", "Condition": {"StringEquals": "x"}}]},
        {"Statement": [{"Effect": "Allow", "Action": [None]}]},
    ],
)  # fmt: skip
def test_what_is_no_policy_is_unreadable(document: Any) -> None:
    found = judge(document, ROLE, EXTERNAL_ID)
    assert found is not None
    assert found.code == "TRUST_UNREADABLE"


@pytest.mark.parametrize("extra", ["resource", "two-conditions", "other-principal"])
def test_a_deny_that_does_not_cover_everything_guards_nothing(extra: str) -> None:
    deny: dict[str, Any] = {
        "Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole",
        "Condition": {"StringNotEquals": {"sts:ExternalId": EXTERNAL_ID}},
    }  # fmt: skip
    if extra == "resource":
        deny["Resource"] = "arn:aws:iam::222222222222:role/x"
    elif extra == "two-conditions":
        deny["Condition"]["Bool"] = {"aws:MultiFactorAuthPresent": "true"}
    else:
        deny["Principal"] = {"AWS": "arn:aws:iam::333333333333:root"}
    allow = {"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "sts:AssumeRole"}
    found = judge({"Statement": [allow, deny]}, ROLE, EXTERNAL_ID)
    assert found is not None
    assert found.code == "EXTERNAL_ID_NOT_ENFORCED"


def test_fixes_quote_no_arn_and_no_id() -> None:
    for fix in FIXES.values():
        assert "arn:" not in fix
        assert 40 < len(fix) <= 700
