"""One canonical form of e-mail addresses and usernames, so that look-alikes are one account (C7).

Rule: NFKC, lower-case, no trailing dot of the domain; what is not ASCII after that is refused
(write international domains in their xn-- form). `+tag` and dots are kept as typed: ada+a@x and
ada+b@x are two addresses, because only the mail server knows whether they are one mailbox.
"""

from __future__ import annotations

import re
import unicodedata

_LOCAL = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_USERNAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,199}")
_MAX_EMAIL = 254
_MAX_LOCAL = 64


def canonical_email(text: str) -> str:
    """The one spelling under which an address is stored. Raises ValueError if it is none."""
    folded = unicodedata.normalize("NFKC", text.strip()).lower()
    local, _, domain = folded.rpartition("@")
    domain = domain.removesuffix(".")
    if (
        len(text) > _MAX_EMAIL
        or len(local) > _MAX_LOCAL
        or len(local) + 1 + len(domain) > _MAX_EMAIL
        or not _LOCAL.fullmatch(local)
        or not _DOMAIN.fullmatch(domain)
    ):
        raise ValueError("is not an e-mail address in ASCII")
    return f"{local}@{domain}"


def canonical_username(text: str) -> str:
    """The one spelling by which a username is found. Raises ValueError if it is none.

    Without '@', so that a login name with '@' is always an e-mail (AUTH-2).
    """
    folded = unicodedata.normalize("NFKC", text.strip()).lower()
    if not _USERNAME.fullmatch(folded):
        raise ValueError("must hold letters, digits, '.', '_' or '-' only")
    return folded


def login_key(name: str) -> str | None:
    """The identity key of a login name, or None where no account can have it."""
    try:
        if "@" in unicodedata.normalize("NFKC", name):
            return email_key(canonical_email(name))
        return username_key(canonical_username(name))
    except ValueError:
        return None


def email_key(email: str) -> str:
    """Global key of a canonical e-mail."""
    return f"EMAIL#{email}"


def username_key(username: str) -> str:
    """Global key of a canonical username."""
    return f"USERNAME#{username}"
