"""The policies of a new tenant (GOV-2), and those of the platform that no tenant can change."""

from __future__ import annotations

from typing import Final

AWS_NAME: Final = "AWS actions need one approval"
AWS_TEXT: Final = """\
// Every action on an AWS account waits for one approval by a client or an owner.
@require_approval("true")
@quorum("1")
@approver_role("client")
@expiry_hours("72")
permit (
  principal,
  action in Action::"aws",
  resource
);
"""

OTHER_NAME: Final = "Other actions are allowed"
OTHER_TEXT: Final = """\
permit (
  principal,
  action in [
    Action::"workflow.execute",
    Action::"model.promote",
    Action::"communication.send",
    Action::"pipeline.run"
  ],
  resource
);
"""

PLATFORM_ID: Final = "platform"
PLATFORM_VERSION: Final = 1
# Part of every evaluation (B19). It holds forbids alone: it can take away, never give.
PLATFORM_TEXT: Final = """\
// Only who has a role acts at all.
forbid (principal, action, resource)
unless {
  principal in
    [Role::"user", Role::"client", Role::"admin", Role::"owner", Role::"system"]
};

// AWS accounts and pipelines belong to clients and owners (AUTH-15), whatever a tenant permits.
forbid (principal, action in Action::"aws", resource)
unless { principal in [Role::"client", Role::"owner"] };

forbid (principal, action == Action::"pipeline.run", resource)
unless { principal in [Role::"client", Role::"owner", Role::"system"] };
"""
