"""Rights on a customer's keys that EC2 uses for us, where it makes or starts something encrypted.

EC2 calls KMS with the rights of the session that called EC2, and names itself (`kms:ViaService`):
under that condition the session itself can do nothing with a key. Which actions:
https://docs.aws.amazon.com/ebs/latest/userguide/ebs-encryption-requirements.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tidegate_kit.session_policy import Grant

from tidegate.findings.actions.base import Job

CREATE_GRANT: Final = "kms:CreateGrant"
KEY_USES: Final = (
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)
# As a role's policy has it, for every region; a session's names the one of its job.
VIA_EC2: Final[Mapping[str, Mapping[str, str]]] = {
    "StringLike": {"kms:ViaService": "ec2.*.amazonaws.com"}
}
FOR_AWS: Final[Mapping[str, Mapping[str, str]]] = {"Bool": {"kms:GrantIsForAWSResource": "true"}}


def restoring(job: Job, key_arn: str) -> list[Grant]:
    """What EC2 needs to make a volume of a snapshot that is encrypted under this key."""
    via = _via(job)
    return [
        Grant(KEY_USES, (key_arn,), conditions=via),
        Grant((CREATE_GRANT,), (key_arn,), conditions={**via, **FOR_AWS}),
    ]


def starting(job: Job) -> list[Grant]:
    """What EC2 needs to attach encrypted volumes to an instance that starts.

    An instance does not tell its volumes' keys: any key of the account, for that one call.
    """
    keys = f"arn:{job.partition}:kms:{job.ref.region}:{job.ref.account_id}:key/*"
    return [Grant((CREATE_GRANT,), patterns=(keys,), conditions={**_via(job), **FOR_AWS})]


def foreign(key_arn: str | None, account_id: str) -> bool:
    """True for a key of another account, whose use the customer's role alone cannot be given."""
    return bool(key_arn) and str(key_arn).split(":")[4] != account_id


def _via(job: Job) -> Mapping[str, Mapping[str, str]]:
    return {"StringEquals": {"kms:ViaService": f"ec2.{job.ref.region}.amazonaws.com"}}
