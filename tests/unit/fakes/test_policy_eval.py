"""The policy evaluator against the rules of the IAM user guide."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fakes.strict_aws.policy_eval import (
    Caller,
    Decision,
    MalformedPolicy,
    Request,
    UnsupportedPolicy,
    evaluate,
    parse_policy,
)

ALLOW, IMPLICIT, EXPLICIT = Decision.ALLOW, Decision.IMPLICIT_DENY, Decision.EXPLICIT_DENY


def statement(**elements: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "*", "Resource": "*", **elements}


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def decide(
    *statements: dict[str, Any], action: str = "s3:GetObject", resource: str = "*", **context: Any
) -> Decision:
    named = {key.replace("__", ":").replace("_", "/"): value for key, value in context.items()}
    return evaluate([document(*statements)], Request(action, resource, named))


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("s3:GetObject", ALLOW),
        ("S3:getobject", ALLOW),
        ("s3:*", ALLOW),
        ("s3:Get?bject", ALLOW),
        (["ec2:*", "s3:Get*"], ALLOW),
        ("s3:Get", IMPLICIT),
        ("*", ALLOW),
    ],
)
def test_actions_match_with_wildcards_and_without_case(action: Any, expected: Decision) -> None:
    assert decide(statement(Action=action)) is expected


def test_deny_wins_wherever_it_stands() -> None:
    deny = statement(Effect="Deny", Action="s3:Get*")
    assert decide(statement(), deny) is EXPLICIT
    assert decide(deny, statement()) is EXPLICIT
    assert decide(deny, statement(), action="s3:PutObject") is ALLOW
    assert decide() is IMPLICIT


def test_not_action_and_not_resource() -> None:
    def without(name: str, **elements: Any) -> dict[str, Any]:
        return {key: value for key, value in statement(**elements).items() if key != name}

    not_action = without("Action", NotAction="iam:*")
    assert decide(not_action) is ALLOW
    assert decide(not_action, action="iam:CreateUser") is IMPLICIT
    not_resource = without("Resource", NotResource="arn:aws:s3:::secret/*")
    assert decide(not_resource, resource="arn:aws:s3:::open/x") is ALLOW
    assert decide(not_resource, resource="arn:aws:s3:::secret/x") is IMPLICIT


def test_resources_match_case_sensitively() -> None:
    one = statement(Resource="arn:aws:s3:::bucket/*")
    assert decide(one, resource="arn:aws:s3:::bucket/a/b") is ALLOW
    assert decide(one, resource="arn:aws:s3:::Bucket/a") is IMPLICIT
    assert decide(one) is IMPLICIT  # an action without a resource needs Resource "*"


def test_variables_and_escapes() -> None:
    mine = statement(Resource="arn:aws:s3:::b/${aws:PrincipalTag/tenant}/*")
    hit, miss = "arn:aws:s3:::b/a/x", "arn:aws:s3:::b/b/x"
    assert decide(mine, resource=hit, aws__PrincipalTag_tenant="a") is ALLOW
    assert decide(mine, resource=miss, aws__PrincipalTag_tenant="a") is IMPLICIT
    assert decide(mine, resource=hit) is IMPLICIT  # no such tag
    assert decide(mine, resource=miss, aws__PrincipalTag_tenant="*") is IMPLICIT
    literal = statement(Resource="arn:aws:s3:::b/${*}")
    assert decide(literal, resource="arn:aws:s3:::b/*") is ALLOW
    assert decide(literal, resource="arn:aws:s3:::b/x") is IMPLICIT


CONDITIONS: list[tuple[str, str, Any, Any, bool]] = [
    # operator, key in the policy, wanted, actual (None: absent), holds
    ("StringEquals", "sts:ExternalId", "a", "a", True),
    ("StringEquals", "STS:externalid", "a", "a", True),
    ("StringEquals", "sts:ExternalId", "a", "A", False),
    ("StringEquals", "sts:ExternalId", ["a", "b"], "b", True),
    ("StringEquals", "sts:ExternalId", "a*", "ab", False),
    ("StringEquals", "sts:ExternalId", "a", None, False),
    ("StringEqualsIfExists", "sts:ExternalId", "a", None, True),
    ("StringEqualsIfExists", "sts:ExternalId", "a", "b", False),
    ("StringEqualsIgnoreCase", "sts:ExternalId", "a", "A", True),
    ("StringNotEquals", "sts:ExternalId", "a", "b", True),
    ("StringNotEquals", "sts:ExternalId", ["a", "b"], "b", False),
    ("StringNotEquals", "sts:ExternalId", "a", None, True),
    ("StringLike", "sts:ExternalId", "a*", "abc", True),
    ("StringLike", "sts:ExternalId", "*", None, False),
    ("StringNotLike", "sts:ExternalId", "a*", "b", True),
    ("Null", "sts:ExternalId", "false", "x", True),
    ("Null", "sts:ExternalId", False, None, False),
    ("Null", "sts:ExternalId", "true", None, True),
    ("Bool", "aws:SecureTransport", "true", "true", True),
    ("Bool", "aws:SecureTransport", True, "false", False),
    ("ArnLike", "aws:PrincipalArn", "arn:aws:iam::1:role/*", "arn:aws:iam::1:role/a/b", True),
    ("ArnLike", "aws:PrincipalArn", "arn:aws:iam::*", "arn:aws:iam::1:role/a", False),
    ("ArnNotLike", "aws:PrincipalArn", "arn:aws:iam::2:*", "arn:aws:iam::1:role/a", True),
    ("NumericLessThan", "x:n", "10", "9.5", True),
    ("NumericLessThan", "x:n", "10", "ten", False),
    ("DateLessThan", "aws:CurrentTime", "2030-01-01T00:00:00Z", "2029-01-01T00:00:00Z", True),
    ("DateGreaterThan", "aws:CurrentTime", "1900000000", "2029-01-01T00:00:00Z", False),
    ("IpAddress", "aws:SourceIp", "10.0.0.0/8", "10.1.2.3", True),
    ("NotIpAddress", "aws:SourceIp", "10.0.0.0/8", "10.1.2.3", False),
    ("ForAnyValue:StringEquals", "aws:TagKeys", ["a"], ["a", "b"], True),
    ("ForAnyValue:StringEquals", "aws:TagKeys", ["a"], ["b"], False),
    ("ForAnyValue:StringEquals", "aws:TagKeys", ["a"], None, False),
    ("ForAllValues:StringEquals", "aws:TagKeys", ["a", "b"], ["a"], True),
    ("ForAllValues:StringEquals", "aws:TagKeys", ["a"], ["a", "b"], False),
    ("ForAllValues:StringEquals", "sts:ExternalId", ["a"], None, True),
    ("ForAllValues:StringLike", "dynamodb:LeadingKeys", ["T#a*"], ["T#a", "T#a#x"], True),
]


@pytest.mark.parametrize(("operator", "key", "wanted", "actual", "holds"), CONDITIONS)
def test_conditions(operator: str, key: str, wanted: Any, actual: Any, holds: bool) -> None:
    spelled = "sts:ExternalId" if key.lower() == "sts:externalid" else key
    context = {} if actual is None else {spelled: actual}
    policy = document(statement(Condition={operator: {key: wanted}}))
    assert evaluate([policy], Request("a:b", "*", context)) is (ALLOW if holds else IMPLICIT)


def test_several_operators_and_keys_are_all_needed() -> None:
    both = statement(Condition={"StringEquals": {"x:a": "1", "x:b": "2"}, "Bool": {"x:c": "true"}})
    assert decide(both, x__a="1", x__b="2", x__c="true") is ALLOW
    assert decide(both, x__a="1", x__b="2") is IMPLICIT
    assert decide(both, x__a="1", x__c="true") is IMPLICIT


@pytest.mark.parametrize(
    "operator", ["StringSomething", "ForEveryValue:StringEquals", "NullIfExists", ""]
)
def test_an_unknown_operator_raises_even_where_nothing_matches(operator: str) -> None:
    odd = statement(Action="other:*", Condition={operator: {"x:y": "z"}})
    with pytest.raises(UnsupportedPolicy):
        decide(odd)


def test_a_multivalued_key_needs_a_set_operator() -> None:
    plain = statement(Condition={"StringEquals": {"aws:TagKeys": "a"}})
    with pytest.raises(UnsupportedPolicy, match="several values"):
        decide(plain, aws__TagKeys=["a", "b"])


@pytest.mark.parametrize(
    ("principal", "trusted"),
    [
        ("*", True),
        ({"AWS": "*"}, True),
        ({"AWS": "111111111111"}, True),
        ({"AWS": "arn:aws:iam::111111111111:root"}, True),
        ({"AWS": ["arn:aws:iam::2:root", "arn:aws:iam::111111111111:role/app"]}, True),
        ({"AWS": "arn:aws:sts::111111111111:assumed-role/app/s"}, True),
        ({"AWS": "arn:aws:iam::111111111111:role/other"}, False),
        ({"AWS": "arn:aws:iam::111111111111:role/*"}, False),
        ({"AWS": "222222222222"}, False),
        ({"Service": "lambda.amazonaws.com"}, False),
    ],
)
def test_principals(principal: Any, trusted: bool) -> None:
    caller = Caller(
        "111111111111",
        frozenset(
            {
                "arn:aws:iam::111111111111:role/app",
                "arn:aws:sts::111111111111:assumed-role/app/s",
            }
        ),
    )
    policy = document({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})
    decision = evaluate([policy], Request("sts:AssumeRole", "*", {}, caller))
    assert decision is (ALLOW if trusted else IMPLICIT)


def test_not_principal_is_not_guessed() -> None:
    odd = {"Effect": "Allow", "NotPrincipal": {"AWS": "1"}, "Action": "*"}
    with pytest.raises(UnsupportedPolicy):
        decide(odd)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "[]",
        "{}",
        json.dumps({"Statement": []}),
        json.dumps({"Version": "2020-01-01", "Statement": [statement()]}),
        json.dumps(document({"Effect": "Allow", "Action": "*"})),
        json.dumps(document(statement(Effect="allow"))),
        json.dumps(document(statement(Action="everything"))),
        json.dumps(document(statement(NotAction="s3:*"))),
        json.dumps(document(statement(Resource="bucket"))),
        json.dumps(document(statement(Principal="*"))),
        json.dumps(document(statement(Extra=1))),
        json.dumps(document(statement(Condition=["x"]))),
        json.dumps({**document(statement()), "Extra": 1}),
    ],
)
def test_malformed_documents_are_refused(text: str) -> None:
    with pytest.raises(MalformedPolicy):
        parse_policy(text)


def test_a_single_statement_object_is_fine() -> None:
    parsed = parse_policy(json.dumps({"Statement": statement()}))
    assert evaluate([parsed], Request("a:b")) is ALLOW
