"""The strict AWS double: moto plus the facts that moto gets wrong.

    def test_x(strict_aws: StrictAws) -> None:      # fixture of tests.fakes.strict_aws.fixtures
        customer = strict_aws.account("222222222222")
        role = customer.create_role("reader", trust(strict_aws.platform.account_id, "ext-id"))

Not modelled: resource policies other than trust policies, IAM's eventual consistency,
signatures beyond key and secret, API Gateway's own limits.
"""

from tests.fakes.strict_aws.customer import Account, allow, deny, trust
from tests.fakes.strict_aws.layer import REGION, StrictAws, strict_aws
from tests.fakes.strict_aws.lock import LOCK, locked_dispatch
from tests.fakes.strict_aws.policy_eval import (
    Decision,
    MalformedPolicy,
    Request,
    UnsupportedPolicy,
    evaluate,
    parse_policy,
)

__all__ = [
    "LOCK",
    "REGION",
    "Account",
    "Decision",
    "MalformedPolicy",
    "Request",
    "StrictAws",
    "UnsupportedPolicy",
    "allow",
    "deny",
    "evaluate",
    "locked_dispatch",
    "parse_policy",
    "strict_aws",
    "trust",
]
