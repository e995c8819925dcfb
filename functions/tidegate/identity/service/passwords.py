"""Password hashing: argon2id for new hashes, old bcrypt hashes still verify (AUTH-1, C1, C8, C16).

Cost: argon2id with 19 MiB, 2 passes, 1 lane (OWASP Password Storage Cheat Sheet).
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import bcrypt
from argon2 import PasswordHasher
from argon2.exceptions import VerificationError, VerifyMismatchError

MIN_CHARS = 8
MAX_CHARS = 128
MEMORY_KIB = 19456
_BCRYPT_BYTES = 72  # bcrypt reads no more; the libraries that made the old hashes cut here
_argon2 = PasswordHasher(time_cost=2, memory_cost=MEMORY_KIB, parallelism=1)
# A hash that nothing matches: its salt and digest are constants, no password was hashed.
_NOBODY = (
    "$argon2id$v=19$m=19456,t=2,p=1$dGlkZWdhdGUtbm9ib2R5$"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)
_NOBODY_BCRYPT = "$2b${:02d}$......................" + "." * 31


def normal(password: str) -> str:
    """NFC, so that one password typed on two systems is one password (C8)."""
    return unicodedata.normalize("NFC", password)


@dataclass(frozen=True)
class Verdict:
    """What a check found: right, right but of an old kind, or a stored hash nobody can read."""

    ok: bool
    outdated: bool = False
    malformed: bool = False


class Passwords:
    """Hashes and checks. Every refusal costs one argon2id and one bcrypt of the old cost (C1)."""

    def __init__(self, bcrypt_cost: int) -> None:
        self._bcrypt_cost = bcrypt_cost

    def hash(self, password: str) -> str:
        """An argon2id hash of the whole password."""
        return _argon2.hash(normal(password))

    def check(self, stored: str | None, password: str) -> Verdict:
        """Compare with a stored hash; None stands for an unknown account. Never raises."""
        if not _hashable(password):
            stored, password = None, "x" * MAX_CHARS  # capped before hashing
        if stored is not None and stored.startswith(("$2a$", "$2b$", "$2y$")):
            verdict = self._check_bcrypt(stored, password)
            if not verdict.ok:
                self._check_argon2(_NOBODY, password)
            return verdict
        verdict = self._check_argon2(stored if stored is not None else _NOBODY, password)
        if verdict.malformed:
            self._check_argon2(_NOBODY, password)
        if not verdict.ok:
            self._spend_bcrypt(password)
        return verdict if stored is not None else Verdict(ok=False)

    def _check_argon2(self, stored: str, password: str) -> Verdict:
        try:
            _argon2.verify(stored, normal(password))
        except VerifyMismatchError:
            return Verdict(ok=False)
        except (VerificationError, ValueError):  # another kind, or no hash at all
            return Verdict(ok=False, malformed=True)
        return Verdict(ok=True, outdated=_argon2.check_needs_rehash(stored))

    def _check_bcrypt(self, stored: str, password: str) -> Verdict:
        try:
            found = [
                bcrypt.checkpw(spelling, stored.encode("ascii"))
                for spelling in _bcrypt_spellings(password)
            ]
        except ValueError:  # malformed: salt, cost or length
            self._spend_bcrypt(password)
            return Verdict(ok=False, malformed=True)
        return Verdict(ok=any(found), outdated=True)

    def _spend_bcrypt(self, password: str) -> None:
        if self._bcrypt_cost:
            nobody = _NOBODY_BCRYPT.format(self._bcrypt_cost).encode()
            for spelling in _bcrypt_spellings(password):
                bcrypt.checkpw(spelling, nobody)


def _hashable(password: str) -> bool:
    if len(password) > MAX_CHARS * 4 or len(normal(password)) > MAX_CHARS:
        return False
    return not any("\ud800" <= char <= "\udfff" for char in password)  # lone surrogates


def _bcrypt_spellings(password: str) -> list[bytes]:
    # Old systems hashed what was typed, in whatever form.
    forms = dict.fromkeys((normal(password), password))
    return [form.encode("utf-8")[:_BCRYPT_BYTES] for form in forms]
