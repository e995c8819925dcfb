"""What the last discovery could and could not read, and the template that adds what is missing.

Pure: from discovery's view to the features of contract 2.8, where the role's policies cannot be
read (doctor.py: where they can). Only denials that were seen count as missing; a service that was
never tried is not granted, with nothing known to be missing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from tidegate.discovery.public import DiscoveryView, ServiceView
from tidegate.findings.public import conditional_needs

DeniedBy = Literal["policy", "scp", "unknown"]


@dataclass(frozen=True)
class FeatureState:
    """One feature. `addable`: the missing actions that one more Allow would grant."""

    feature: str
    granted: bool
    missing_actions: tuple[str, ...]
    denied_by: DeniedBy | None
    addable: tuple[str, ...] = ()


def is_scp(reason: str | None) -> bool:
    """True for discovery's reason of a denial by an organisation's policy."""
    return "(SCP)" in (reason or "")


def features(view: DiscoveryView | None, services: Iterable[str]) -> list[FeatureState]:
    """The state of every service's discovery, by name, over all regions of the last run."""
    tried: dict[str, list[ServiceView]] = {}
    for region in view.regions if view is not None else ():
        for unit in region.services:
            tried.setdefault(unit.service, []).append(unit)
    return [_feature(name, tried.get(name, [])) for name in sorted({*services, *tried})]


def _feature(service: str, units: Sequence[ServiceView]) -> FeatureState:
    missing = tuple(sorted({action for unit in units for action in unit.missing_actions}))
    read = any(unit.status in ("ok", "partial") for unit in units)
    granted = read and not missing and not any(unit.status == "denied" for unit in units)
    denied_by = None if granted else _denied_by(units, missing)
    return FeatureState(
        feature=f"discovery:{service}",
        granted=granted,
        missing_actions=missing,
        denied_by=denied_by,
        addable=() if denied_by == "scp" else missing,
    )


def _denied_by(units: Sequence[ServiceView], missing: Sequence[str]) -> DeniedBy:
    if not missing:
        return "unknown"
    denied = [unit for unit in units if unit.missing_actions]
    return "scp" if any(is_scp(unit.reason) for unit in denied) else "policy"


def delta_template(states: Iterable[FeatureState], role_arn: str | None) -> str | None:
    """A CloudFormation template with a policy of just the addable actions; None: there are none.

    Where there is an access role, the policy stands in it: such a policy the role can read itself.
    Actions that a Deny or an organisation's policy (SCP) withholds are left out: no further Allow
    grants them.
    """
    actions = sorted({action for state in states for action in state.addable})
    if not actions:
        return None
    role = role_arn.rpartition("/")[2] if role_arn is not None else None
    kind, attached = "ManagedPolicy", ""
    if role:
        # Another set of actions has another name: a second template must not replace the first.
        digest = hashlib.sha256("\n".join(actions).encode()).hexdigest()[:12]
        kind = "Policy"
        attached = (
            f"      PolicyName: tidegate-added-{digest}\n"
            f"      Roles:\n        - {json.dumps(role)}\n"
        )
    return (
        'AWSTemplateFormatVersion: "2010-09-09"\n'
        "Description: Adds the actions that Tidegate lacks, and nothing else.\n"
        "Resources:\n"
        "  TidegateMissingActions:\n"
        f"    Type: AWS::IAM::{kind}\n"
        "    Properties:\n"
        f"{attached}"
        "      PolicyDocument:\n"
        '        Version: "2012-10-17"\n'
        "        Statement:\n"
        f"{_statements(actions)}"
    )


def _statements(actions: Sequence[str]) -> str:
    """Allow statements, one for each condition under which some of the actions are given."""
    known = conditional_needs()
    conditions = [json.dumps(known[a], sort_keys=True) if a in known else "" for a in actions]
    # JSON texts are YAML, so no value can break out of its place.
    return "".join(
        "          - Effect: Allow\n"
        "            Action:\n"
        + "".join(
            f"              - {json.dumps(action)}\n"
            for action, own in zip(actions, conditions, strict=True)
            if own == condition
        )
        + '            Resource: "*"\n'
        + (f"            Condition: {condition}\n" if condition else "")
        for condition in sorted(set(conditions))
    )
