"""Access keys of IAM users, with their last use (iam-key-unused)."""

from __future__ import annotations

from typing import Any

from tidegate.discovery.collectors.base import Collector, Draft, Page, Read, Reader, Vanished, pick
from tidegate.discovery.domain import GLOBAL, Found

USERS = Read("iam", "list_users", "iam:ListUsers")
KEYS = Read("iam", "list_access_keys", "iam:ListAccessKeys")
LAST_USED = Read("iam", "get_access_key_last_used", "iam:GetAccessKeyLastUsed")
_PAGE_SIZE = 50


class IamAccessKeys(Collector):
    """iam:access-key. A user has two at most, so its keys are one answer."""

    service = "iam"
    types = ("iam:access-key",)
    is_global = True
    reads = (USERS, KEYS, LAST_USED)

    def read_page(self, reader: Reader, token: str | None) -> Page:
        """The keys of one page of users."""
        answer = reader.call(USERS, MaxItems=_PAGE_SIZE, Marker=token)
        found: list[Found] = []
        for user in answer.get("Users", []):
            try:
                # Part of the listing: without it there would be no keys, which is not "0 keys".
                keys = reader.required(KEYS, UserName=user["UserName"])
            except Vanished:
                continue
            found += [_found(reader, user, key) for key in keys.get("AccessKeyMetadata", [])]
        return reader.page(found, answer.get("Marker"))


def _found(reader: Reader, user: dict[str, Any], key: dict[str, Any]) -> Found:
    # AWS has no ARN for access keys: the user's ARN and the key's id name it.
    draft = Draft(
        arn=f"{user['Arn']}/access-key/{key['AccessKeyId']}",
        type="iam:access-key",
        region=GLOBAL,
        name=f"{user['UserName']}/{key['AccessKeyId']}",
        state=key.get("Status"),
        attributes={
            **pick(key, user_name="UserName", created_at="CreateDate"),
            "access_key_id": key["AccessKeyId"],
        },
    )
    try:
        answer = reader.nested(LAST_USED, AccessKeyId=key["AccessKeyId"])
    except Vanished:
        draft.unknown.add("last_used_at")
        return draft.found()
    # A key that was never used has no date.
    draft.take("last_used_at", answer, lambda d: d["AccessKeyLastUsed"].get("LastUsedDate"))
    return draft.found()
