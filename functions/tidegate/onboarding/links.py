"""Signed links to a request's template, and the console's quick-create link (ONB-3)."""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import datetime, timedelta
from urllib.parse import quote, urlencode

from tidegate_kit.auth.tokens import b64url_encode
from tidegate_kit.clock import epoch

TEMPLATE_URL_LIFE = timedelta(hours=24)
_NO_KEY = bytes(32)
_CONSOLES = {
    "aws": "console.aws.amazon.com",
    "aws-us-gov": "console.amazonaws-us-gov.com",
    "aws-cn": "console.amazonaws.cn",
}


def _signature(key: bytes, onboarding_id: str, expires: int) -> str:
    text = f"template\n{onboarding_id}\n{expires}".encode()
    return b64url_encode(hmac.new(key, text, hashlib.sha256).digest())


def template_url(
    base_url: str, key: bytes, onboarding_id: str, now: datetime
) -> tuple[str, datetime]:
    """A link that gives this one template until the returned instant (+24 h)."""
    expires = epoch(now + TEMPLATE_URL_LIFE)
    query = urlencode({"exp": expires, "sig": _signature(key, onboarding_id, expires)})
    url = f"{base_url}/onboarding/template/{onboarding_id}?{query}"
    return url, datetime.fromtimestamp(expires, now.tzinfo)


def signature_holds(
    key: bytes | None, onboarding_id: str, exp: str | None, sig: str, now: datetime
) -> bool:
    """Whether a link's exp and sig are ours, for this id, and not over.

    Without a key (unknown id) the same work is done, so the time tells nothing.
    """
    if exp is None or re.fullmatch(r"[1-9][0-9]{0,11}", exp) is None:
        return False
    good = _signature(key or _NO_KEY, onboarding_id, int(exp))
    equal = hmac.compare_digest(good.encode(), sig.encode("utf-8", "surrogatepass"))
    return equal and key is not None and int(exp) > epoch(now)


def quick_create_url(
    callback_topic_arn: str, template_copy_url: str, stack: str, values: dict[str, str]
) -> str:
    """The console's quick-create page with template and parameters filled in.

    The region is the call-back topic's: CloudFormation accepts no topic of another region.
    """
    _, partition, _, region, *_ = callback_topic_arn.split(":")
    host = _CONSOLES.get(partition, _CONSOLES["aws"])
    query = urlencode(
        {
            "templateURL": template_copy_url,
            "stackName": stack,
            **{f"param_{name}": value for name, value in values.items()},
        },
        quote_via=quote,
    )
    return f"https://{host}/cloudformation/home?region={region}#/stacks/quickcreate?{query}"
