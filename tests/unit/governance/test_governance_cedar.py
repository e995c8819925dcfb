"""The corpus of policies: what they say to a question, and what is no policy (GOV-1..GOV-3)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from tidegate.governance.cedar.defaults import AWS_TEXT, OTHER_TEXT
from tidegate.governance.cedar.engine import PolicyEngine, PolicyText
from tidegate.governance.cedar.validation import problems_of
from tidegate.governance.cedar.vocabulary import AWS_ACTIONS, IRREVERSIBLE, OTHER_ACTIONS
from tidegate.governance.domain import PolicyContext, PolicyPrincipal, PolicyResource, Question

USER = "0d6c7c55-5f26-4f9c-8a52-7f0c1fb7e001"
VOLUME = "arn:aws:ec2:eu-west-1:222222222222:volume/vol-1"
DEFAULTS = (AWS_TEXT, OTHER_TEXT)


def ask(*texts: str, **changes: Any) -> Any:
    """The outcome of the usual question, with changes, under these policies."""
    question = question_of(**changes)
    engine = PolicyEngine([PolicyText(f"p{number}", 1, text) for number, text in enumerate(texts)])
    return engine.ask(question)


def question_of(**changes: Any) -> Question:
    roles = changes.pop("roles", ("client", "user"))
    user = PolicyPrincipal(changes.pop("user", USER), tuple(roles), changes.pop("email", None))
    resource = PolicyResource(VOLUME, "ec2:volume", "eu-west-1", "222222222222", {"env": "test"})
    context = PolicyContext(1250, 3, "staging")
    for name in ("arn", "type", "region", "account", "tags", "reversible"):
        if name in changes:
            resource = replace(resource, **{name: changes.pop(name)})
    for name in ("monthly_saving_cents", "item_count", "environment"):
        if name in changes:
            context = replace(context, **{name: changes.pop(name)})
    values = {"action": "ec2.delete_volume", "hour_utc": 14, "weekday": 3, **changes}
    return Question(
        user, values["action"], resource, context, values["hour_utc"], values["weekday"]
    )


ANY = 'permit (principal, action in Action::"aws", resource)'
FORBID = "forbid (principal, action, resource)"
ASKS = '@require_approval("true") '


class Case(NamedTuple):
    """`texts`, asked with `changes`, say `effect`."""

    texts: tuple[str, ...]
    changes: dict[str, Any]
    effect: str


def when(condition: str, head: str = ANY) -> tuple[str, ...]:
    return (f"{head} when {{ {condition} }};",)


CASES: dict[str, Case] = {
    # the set of a new tenant
    "default: AWS waits": Case(DEFAULTS, {}, "require_approval"),
    "default: workflow runs": Case(DEFAULTS, {"action": "workflow.execute"}, "allow"),
    "default: model": Case(DEFAULTS, {"action": "model.promote"}, "allow"),
    "default: message": Case(DEFAULTS, {"action": "communication.send"}, "allow"),
    "default: pipeline of a client": Case(DEFAULTS, {"action": "pipeline.run"}, "allow"),
    "default: pipeline by schedule": Case(
        DEFAULTS, {"action": "pipeline.run", "roles": ["system"]}, "allow"
    ),
    "default: unknown action": Case(DEFAULTS, {"action": "ec2.terminate"}, "deny"),
    # no policy, none that fits
    "nothing permits": Case((), {}, "deny"),
    "another action": Case(
        ('permit (principal, action == Action::"ec2.create_tags", resource);',), {}, "deny"
    ),
    "this action": Case(
        ('permit (principal, action == Action::"ec2.delete_volume", resource);',), {}, "allow"
    ),
    "one of two actions": Case(
        (
            'permit (principal, action in [Action::"ec2.create_tags", '
            'Action::"ec2.delete_volume"], resource);',
        ),
        {},
        "allow",
    ),
    "the group of the reversible": Case(
        ('permit (principal, action in Action::"aws.reversible", resource);',), {}, "allow"
    ),
    "the group of the others": Case(
        ('permit (principal, action in Action::"aws.irreversible", resource);',), {}, "deny"
    ),
    "the group is no single action": Case(
        ('permit (principal, action == Action::"aws", resource);',), {}, "deny"
    ),
    # forbid wins
    "forbid over permit": Case((f"{ANY};", f"{FORBID};"), {}, "deny"),
    "forbid before permit": Case((f"{FORBID};", f"{ANY};"), {}, "deny"),
    "forbid over approval": Case((f"{ASKS}{ANY};", f"{FORBID};"), {}, "deny"),
    "forbid in one text": Case((f"{ANY}; {FORBID};",), {}, "deny"),
    "forbid that does not match": Case(
        (f"{ANY};", f"{FORBID} when {{ context.item_count > 3 }};"), {}, "allow"
    ),
    "forbid unless": Case(
        (f"{ANY};", f'{FORBID} unless {{ context.environment == "staging" }};'), {}, "allow"
    ),
    # approvals
    "asks": Case((f"{ASKS}{ANY};",), {}, "require_approval"),
    "asks besides a plain permit": Case((f"{ASKS}{ANY};", f"{ANY};"), {}, "require_approval"),
    "asks when dear, and is": Case(
        (f"{ANY};", *when("context.monthly_saving_cents >= 1250", ASKS + ANY)),
        {},
        "require_approval",
    ),
    "asks when dear, and is not": Case(
        (f"{ANY};", *when("context.monthly_saving_cents >= 1251", ASKS + ANY)), {}, "allow"
    ),
    "asks not": Case((f'@require_approval("false") {ANY};',), {}, "allow"),
    "an annotation on a forbid asks nothing": Case((f"{ANY};", f"{ASKS}{FORBID};"), {}, "deny"),
    # principal
    "in a role": Case(when('principal in Role::"client"'), {}, "allow"),
    "not in a role": Case(when('principal in Role::"admin"'), {}, "deny"),
    "role in the scope": Case(
        ('permit (principal in Role::"client", action in Action::"aws", resource);',), {}, "allow"
    ),
    "owner": Case(
        when('principal in Role::"owner"'), {"roles": ["client", "owner", "user"]}, "allow"
    ),
    "this user": Case(when(f'principal == User::"{USER}"'), {}, "allow"),
    "another user": Case(when('principal == User::"x"'), {}, "deny"),
    "e-mail known": Case(
        when('principal has email && principal.email like "*@example.com"'),
        {"email": "a@example.com"},
        "allow",
    ),
    "e-mail unknown": Case(when('principal has email && principal.email like "*"'), {}, "deny"),
    # resource
    "arn": Case(when(f'resource == Resource::"{VOLUME}"'), {}, "allow"),
    "arn by pattern": Case(when('resource.arn like "arn:aws:ec2:eu-west-1:*"'), {}, "allow"),
    "pattern of another region": Case(when('resource.arn like "*:us-*"'), {}, "deny"),
    "type": Case(when('resource.type == "ec2:volume"'), {}, "allow"),
    "region": Case(when('resource.region == "eu-west-1"'), {}, "allow"),
    "region differs in case": Case(when('resource.region == "EU-WEST-1"'), {}, "deny"),
    "account": Case(when('["222222222222"].contains(resource.account)'), {}, "allow"),
    "another account": Case(when('["111111111111"].contains(resource.account)'), {}, "deny"),
    "reversible": Case(when("resource.reversible"), {}, "allow"),
    "not reversible": Case(when("!resource.reversible"), {}, "deny"),
    "tag": Case(when('resource.tags has env && resource.tags.env == "test"'), {}, "allow"),
    "tag has another value": Case(
        when('resource.tags has env && resource.tags.env == "prod"'), {}, "deny"
    ),
    "tag is absent": Case(
        when('resource.tags has env && resource.tags.env == "test"'), {"tags": {}}, "deny"
    ),
    "tag with a colon": Case(
        when('resource.tags has "aws:stack" && resource.tags["aws:stack"] == "x"'),
        {"tags": {"aws:stack": "x"}},
        "allow",
    ),
    "tag by getTag": Case(
        when('resource.hasTag("env") && resource.getTag("env") == "test"'), {}, "allow"
    ),
    "tags named like escapes": Case(
        when('resource.tags has env && resource.tags.env == "test"'),
        {"tags": {"env": "test", "__entity": "x", "__extn": "y"}},
        "allow",
    ),
    # context
    "few items": Case(when("context.item_count <= 3"), {}, "allow"),
    "many items": Case(when("context.item_count <= 2"), {}, "deny"),
    "saving": Case(when("context.monthly_saving_cents > 1000"), {}, "allow"),
    "environment": Case(when('context.environment == "production"'), {}, "deny"),
    "working hours": Case(when("context.hour_utc >= 8 && context.hour_utc < 17"), {}, "allow"),
    "at night": Case(
        when("context.hour_utc >= 8 && context.hour_utc < 17"), {"hour_utc": 3}, "deny"
    ),
    "weekday": Case(when("context.weekday <= 5"), {"weekday": 5}, "allow"),
    "weekend": Case(when("context.weekday <= 5"), {"weekday": 6}, "deny"),
    "if then else": Case(
        when("if context.item_count > 1 then resource.reversible else false"), {}, "allow"
    ),
    "several whens": Case(
        (f"{ANY} when {{ context.item_count == 3 }} unless {{ context.weekday == 7 }};",),
        {},
        "allow",
    ),
    "the short way round an error": Case(
        when("context.item_count == 3 || context.item_count * 9223372036854775807 > 0"), {}, "allow"
    ),
    # what cannot be undone needs two (FND-10), whatever is permitted
    "irreversible by its action": Case(
        (f"{ANY};",), {"action": "ec2.release_address"}, "require_approval"
    ),
    "irreversible by its resource": Case((f"{ANY};",), {"reversible": False}, "require_approval"),
    "irreversible and not permitted": Case((), {"action": "ec2.release_address"}, "deny"),
    # the platform's own forbids (B19)
    "AWS by a plain user": Case((f"{ANY};",), {"roles": ["user"]}, "deny"),
    "AWS by an admin": Case((f"{ANY};",), {"roles": ["admin", "user"]}, "deny"),
    "AWS by a schedule": Case((f"{ANY};",), {"roles": ["system"]}, "deny"),
    "pipeline by a plain user": Case(
        DEFAULTS, {"action": "pipeline.run", "roles": ["user"]}, "deny"
    ),
    "workflow by a plain user": Case(
        DEFAULTS, {"action": "workflow.execute", "roles": ["user"]}, "allow"
    ),
    "without a role": Case(DEFAULTS, {"action": "workflow.execute", "roles": []}, "deny"),
    "in a role that there is not": Case(
        DEFAULTS, {"action": "workflow.execute", "roles": ["root"]}, "deny"
    ),
}

LONGEST = {
    "or": "||".join(["resource.reversible"] * 125),
    "and": "&&".join(["true"] * 251),
    "sum": "+".join(["1"] * 251) + " == 251",
    "if": "if false then true else " * 250 + "true",
    "brackets": "(" * 62 + "true" + ")" * 62,
}


@pytest.mark.parametrize("name", LONGEST)
def test_the_longest_policies_that_are_stored_are_evaluated(name: str) -> None:
    (text,) = when(LONGEST[name])
    assert problems_of(text, members) == []
    outcome = ask(*DEFAULTS[1:], text, f"{FORBID} when {{ false }};", text)
    assert (outcome.effect, outcome.policy_ids, outcome.problem) == ("allow", ("p1", "p3"), "")


def test_texts_are_joined_whole() -> None:
    """A comment at the end of one text does not swallow the next, whatever the order of ids."""
    ending = f"{FORBID} when {{ false }}; // {FORBID}"
    outcome = ask(*[ending] * 12, f"{ANY};", ending)
    assert (outcome.effect, outcome.policy_ids) == ("allow", ("p12",))


# Forbids and permits that fail while they are evaluated: a deny that says why (B18).
ERRORS: dict[str, Case] = {
    "forbid overflows": Case(
        (f"{ANY};", *when("context.monthly_saving_cents * 9223372036854775807 > 1", FORBID)),
        {},
        "deny",
    ),
    "forbid reads an absent attribute": Case(
        (f"{ANY};", *when("resource.owner == 1", FORBID)), {}, "deny"
    ),
    "forbid reads an absent tag": Case(
        (f"{ANY};", *when('resource.tags.owner == "x"', FORBID)), {}, "deny"
    ),
    "forbid gets an absent tag": Case(
        (f"{ANY};", *when('resource.getTag("owner") == "x"', FORBID)), {}, "deny"
    ),
    "forbid compares what cannot be": Case(
        (f"{ANY};", *when("resource.arn > 1", FORBID)), {}, "deny"
    ),
    "forbid reads no address": Case(
        (f"{ANY};", *when("ip(resource.region).isLoopback()", FORBID)), {}, "deny"
    ),
    "permit fails beside a good one": Case((f"{ANY};", *when("resource.owner == 1")), {}, "deny"),
    "permit fails": Case(when("1 + resource.arn == 2"), {}, "deny"),
    "text is not Cedar": Case((f"{ANY};", "permit (principal"), {}, "deny"),
    "text is empty": Case((f"{ANY};", "  // nothing"), {}, "deny"),
    "text is a template": Case(
        (f"{ANY};", "permit (principal == ?principal, action, resource);"), {}, "deny"
    ),
    "quorum is no number": Case((f'{ASKS}@quorum("many") {ANY};',), {}, "deny"),
    "quorum is nobody": Case((f'{ASKS}@quorum("0") {ANY};',), {}, "deny"),
    "role of approvers is unknown": Case((f'{ASKS}@approver_role("root") {ANY};',), {}, "deny"),
    "text is nested too deeply": Case(
        (f"{ANY};", f"{ANY} when {{ {'(' * 5000}true{')' * 5000} }};"), {}, "deny"
    ),
    "a saving beyond 64 bits": Case((f"{ANY};",), {"monthly_saving_cents": 2**63}, "deny"),
    "a lone surrogate": Case((f"{ANY};",), {"arn": "\ud800"}, "deny"),
}


@pytest.mark.parametrize("name", CASES)
def test_policies_say_what_they_say(name: str) -> None:
    case = CASES[name]
    outcome = ask(*case.texts, **case.changes)
    assert (outcome.effect, outcome.problem if name != "default: unknown action" else "") == (
        case.effect,
        "",
    )


def test_the_corpus_is_large_enough() -> None:
    assert len(CASES) >= 60


@pytest.mark.hazard("B18")
@pytest.mark.bite(
    "tidegate.governance.cedar.engine.errors_of",
    returns=[],
    cases=["forbid overflows"],
)
@pytest.mark.parametrize("name", ERRORS)
def test_what_cannot_be_evaluated_is_a_deny_with_a_reason(name: str) -> None:
    """B18: an erroring forbid, a parse error, NoDecision, an exception: deny plus alert."""
    case = ERRORS[name]
    outcome = ask(*case.texts, **case.changes)
    assert outcome.effect == "deny"
    assert outcome.problem


def test_the_strictest_match_counts() -> None:
    """GOV-2: the most votes, the highest role, the shortest time, of those that match."""
    few = f'{ASKS}@quorum("2") @approver_role("user") @expiry_hours("24") {ANY};'
    many = f'{ASKS}@quorum("3") @approver_role("client") @expiry_hours("48") {ANY};'
    other = f'{ASKS}@quorum("9") {ANY} when {{ context.weekday == 7 }};'
    need = ask(few, many, other).approving
    assert (need.quorum, need.approver_role, need.expiry_hours) == (3, "client", 24)
    assert ask(few, many, other).policy_ids == ("p0", "p1")


@pytest.mark.parametrize("action", IRREVERSIBLE)
def test_what_cannot_be_undone_has_two_approvers(action: str) -> None:
    for texts in (DEFAULTS, (f"{ANY};",)):
        outcome = ask(*texts, action=action, reversible=False)
        assert (outcome.effect, outcome.approving.quorum) == ("require_approval", 2)
    asked = ask(f'{ASKS}@quorum("3") {ANY};', action=action)
    assert asked.approving.quorum == 3


def test_the_default_set_covers_every_action() -> None:
    effects = {action: ask(*DEFAULTS, action=action).effect for action in AWS_ACTIONS}
    assert set(effects.values()) == {"require_approval"}
    assert {ask(*DEFAULTS, action=action).effect for action in OTHER_ACTIONS} == {"allow"}
    assert [problems_of(text, lambda _: False) for text in DEFAULTS] == [[], []]


INJECTED = [
    '"',
    "\\",
    "\n",
    'x" || true || "',
    'User::"x"',
    '::"',
    '", "type": "Role',
    "*",
    "${principal}",
    "a" * 10_000,
    "\N{RIGHT-TO-LEFT OVERRIDE}x",
    "",
]


@pytest.mark.hazard("B20")
@pytest.mark.bite(
    "tidegate.governance.cedar.engine.entity", lambda kind, id_: {"type": kind, "id": id_[:0]}
)
@pytest.mark.parametrize("text", INJECTED, ids=range(len(INJECTED)))
def test_ids_are_taken_literally(text: str) -> None:
    """B20: what stands in an id is that id and nothing else, for principal and resource."""
    mine = f'{ANY} when {{ principal == User::"admin" && resource == Resource::"target" }};'
    assert ask(mine, user="admin", arn="target").effect == "allow"
    for user, arn in ((text, "target"), ("admin", text), (f"admin{text}1", "target")):
        outcome = ask(mine, user=user, arn=arn)
        assert (outcome.effect, outcome.problem) == ("deny", "")


@pytest.mark.parametrize("text", INJECTED[1:-1], ids=range(len(INJECTED) - 2))
def test_values_are_taken_literally(text: str) -> None:
    policy = when('resource.tags has env && resource.tags.env == "prod"')
    for changes in ({"tags": {"env": text}}, {"tags": {text: "prod"}}, {"region": text}):
        assert ask(*policy, **changes).effect == "deny"


def members(user_id: str) -> bool:
    return user_id == USER


# Text, then where its first problem is and what the message speaks of; None: a valid text.
TEXTS: list[tuple[str, tuple[int, int, str] | None]] = [
    (AWS_TEXT, None),
    (f"{ANY};", None),
    (f'permit (principal == User::"{USER}", action, resource);', None),
    (f"{ASKS}permit (principal, action, resource);", None),
    ('@id("x") @note("y") ' + f"{ANY};", None),
    ("permit (principal, action, resource);", (1, 1, "everything")),
    (f"{ANY};\n\npermit (principal, action, resource);", (3, 1, "everything")),
    ("permit (principal, action, resource", (1, 36, "end of input")),
    ("permit (principal, action, resource)\n  whenn { true };", (2, 3, "")),
    ("permit (principal, action,\n  resource) when { true true };", (2, 25, "true")),
    ("permit (principal action, resource);", (1, 19, "action")),
    ("é permit (principal, action, resource);", (1, 1, "invalid")),
    (f'{ANY}\nwhen {{ "open }};', (2, 8, "invalid")),
    (f"{ANY};\n{ANY} when {{ context.foo == 1 }};", (2, 70, "foo")),
    ('permit (principal, action == Action::"ec2.nuke", resource);', (1, 38, "ec2.nuke")),
    ("permit (principal is Robot, action, resource);", (1, 22, "Robot")),
    ('permit (principal in Role::"root", action, resource);', (1, 28, "root")),
    (f'{ANY}\nwhen {{ resource.tags.env == "x" }};', (2, 22, "env")),
    (f'{ANY} when {{ resource.getTag("a") == "x" }};', (1, 78, "tag")),
    ('permit (principal == User::"other", action, resource);', (1, 28, "member")),
    (f'{ANY} when {{ principal in [User::"other"] }};', (1, 82, "member")),
    ("permit (principal == ?principal, action, resource);", (1, 1, "?principal")),
    ("// nothing", (1, 1, "no permit")),
    (";", (1, 1, "")),
    (f'@require_approval("yes") {ANY};', (1, 2, "require_approval")),
    (f'{ASKS}\n@quorum("0") {ANY};', (2, 2, "quorum")),
    (f'{ASKS}@quorum("11") {ANY};', (1, 28, "quorum")),
    (f'{ASKS}@expiry_hours("1e3") {ANY};', (1, 28, "expiry_hours")),
    (f'{ASKS}@approver_role("root") {ANY};', (1, 28, "approver_role")),
    (f"{ANY} when {{ {'(' * 70}true{')' * 70} }};", (1, 125, "deeper")),
    (f"{ANY} when {{ resource has {'.'.join('a' * 20)} }};", (1, 108, "path")),
    (f"{ANY} when {{ {'||'.join(['true'] * 3000)} }};", (1, 1566, "250 operators")),
    (f"{ANY} when {{ {'||'.join(['true'] * 251)} }};", None),
    (f"{ANY} when {{ {'||'.join(['true'] * 200)} }};" * 2, None),
    (f"{ANY} when {{ {'!' * 300}true }};", (1, 62, "too many")),
    ("x" * 20_001, (1, 1, "longer")),
    ("permit" * 3000, (1, 18001, "end of input")),
]


@pytest.mark.hazard("B19")
@pytest.mark.bite(
    "tidegate.governance.cedar.validation.problems_of",
    returns=[],
    cases=[str(number) for number, (_, wrong) in enumerate(TEXTS) if wrong],
)
@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_what_is_no_policy_is_refused_where_it_is_wrong(number: int) -> None:
    """B19: everything for everybody, foreign users, unknown names, no Cedar: line and column."""
    from tidegate.governance.cedar import validation

    text, expected = TEXTS[number]
    problems = validation.problems_of(text, members)
    if expected is None:
        assert problems == []
        return
    assert problems
    assert (problems[0].line, problems[0].column) == expected[:2]
    assert expected[2] in problems[0].message


@pytest.mark.hazard("B19")
@pytest.mark.bite(
    "tidegate.governance.cedar.engine.PLATFORM_TEXT",
    'permit (principal in Role::"client", action in Action::"aws", resource);',
)
def test_no_policy_widens_a_role() -> None:
    """B19: the platform's forbids are in every evaluation, whatever a tenant has written."""
    wide = "permit (principal, action, resource) when { true };"
    for role in ("user", "admin", "system"):
        assert ask(wide, roles=[role]).effect == "deny"
    assert ask(wide).effect == "allow"
    assert ask(wide, action="workflow.execute", roles=[]).effect == "deny"


def test_the_hash_names_every_policy_that_took_part() -> None:
    one, two = PolicyText("a", 1, f"{ANY};"), PolicyText("b", 1, f"{FORBID};")
    base = PolicyEngine([one, two])
    assert base.set_hash == PolicyEngine([two, one]).set_hash
    assert base.versions == {"platform": 1, "a": 1, "b": 1}
    others = ([one], [replace(one, version=2), two], [replace(one, text=AWS_TEXT), two])
    assert base.set_hash not in {PolicyEngine(each).set_hash for each in others}
