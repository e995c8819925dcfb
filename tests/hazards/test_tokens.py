"""Access tokens against the one verifier: forgeries, mangled encodings, claims (A1-A12, A24, A27).

Foreign vectors: Wycheproof (Apache-2.0), read from where the catalogue keeps them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from tidegate_kit.auth import tokens
from tidegate_kit.auth.tokens import (
    Claims,
    KeyRing,
    LegacyPolicy,
    PublicKey,
    TokenInvalid,
    TokenVerifier,
    b64url_encode,
    open_jws,
    public_key,
)
from tidegate_kit.clock import FixedClock, epoch
from tidegate_kit.errors import Unauthenticated

from tests.builders.members import KID, PRIVATE_KEY, claims_for
from tests.fakes.recorded import vectors

ISSUER = "http://127.0.0.1:8000"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
clock = FixedClock()
HEADER = {"alg": "ES256", "kid": KID, "typ": "at+jwt"}


def ring_key(kid: str = KID) -> PublicKey:
    numbers = PRIVATE_KEY.public_key().public_numbers()
    x, y = (b64url_encode(n.to_bytes(32, "big")) for n in (numbers.x, numbers.y))
    return public_key(kid, x, y, "active")


def verifier(load: Callable[[], dict[str, PublicKey]] | None = None) -> TokenVerifier:
    return TokenVerifier(KeyRing(load or (lambda: {KID: ring_key()}), clock), ISSUER, clock)


def part(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return b64url_encode(text.encode())


def raw_signature(signed: str, key: ec.EllipticCurvePrivateKey = PRIVATE_KEY) -> bytes:
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def claims(**changes: Any) -> dict[str, Any]:
    made = claims_for("t-1", "u-1", "s-1", "ada@example.com", clock())
    return {name: value for name, value in {**made, **changes}.items() if value is not ...}


def signed(header: Any, payload: Any = None, key: ec.EllipticCurvePrivateKey = PRIVATE_KEY) -> str:
    """Any header and payload under a right ES256 signature."""
    text = f"{part(header)}.{part(claims() if payload is None else payload)}"
    return f"{text}.{b64url_encode(raw_signature(text, key))}"


def refused(token: str, using: TokenVerifier | None = None) -> bool:
    try:
        (using or verifier()).verify(token)
    except Unauthenticated:
        return True
    return False


def lenient_claims(self: TokenVerifier, payload: dict[str, Any], *, legacy: bool) -> Claims:
    return Claims("u", "t", "s", "j", clock(), clock(), legacy)


def test_the_plain_token_is_accepted() -> None:
    assert verifier().verify(signed(HEADER)).user_id == "u-1"


# ---- A1 to A6: header ---------------------------------------------------------------------------


@pytest.mark.hazard("A1")
@pytest.mark.bite("tidegate_kit.auth.tokens.check_header", returns=None, cases=("signed",))
@pytest.mark.parametrize("signature", ["empty", "signed"])
@pytest.mark.parametrize("alg", ["none", "None", "nOnE", "", ..., None, ["ES256"], ["none"]])
def test_unsigned_tokens(alg: Any, signature: str) -> None:
    """A1: no spelling of "none" is accepted, not even over a right signature."""
    header = {name: value for name, value in {**HEADER, "alg": alg}.items() if value is not ...}
    token = signed(header)
    assert refused(token if signature == "signed" else token.rpartition(".")[0] + ".")


@pytest.mark.hazard("A2")
@pytest.mark.bite("tidegate_kit.auth.tokens.signature_ok", returns=True, cases=("pem-ES256",))
@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512", "ES256"])
@pytest.mark.parametrize("secret", ["pem", "der", "point", "jwk"])
def test_a_mac_under_the_public_key(secret: str, alg: str) -> None:
    """A2: the public key is no secret, in any of its forms, under any alg name."""
    public = PRIVATE_KEY.public_key()
    encodings = serialization.Encoding
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    octets = {
        "pem": public.public_bytes(encodings.PEM, form),
        "der": public.public_bytes(encodings.DER, form),
        "point": public.public_bytes(encodings.X962, serialization.PublicFormat.UncompressedPoint),
        "jwk": json.dumps(ring_key().jwk()).encode(),
    }[secret]
    digest = {"HS384": hashlib.sha384, "HS512": hashlib.sha512}.get(alg, hashlib.sha256)
    text = f"{part({**HEADER, 'alg': alg})}.{part(claims())}"
    mac = hmac.new(octets, text.encode(), digest).digest()
    # Also at the length of an ES256 signature, so that only the mathematics can refuse it.
    mac = (mac * 2)[:64] if alg == "ES256" else mac
    assert refused(f"{text}.{b64url_encode(mac)}")


FOREIGN: dict[str, Callable[[], Any]] = {
    "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ES512": lambda: ec.generate_private_key(ec.SECP521R1()),
    "ES256K": lambda: ec.generate_private_key(ec.SECP256K1()),
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
    "PS256": lambda: rsa.generate_private_key(65537, 2048),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}


@pytest.mark.hazard("A3")
@pytest.mark.parametrize("alg", FOREIGN)
def test_other_algorithms(alg: str) -> None:
    """A3: a correct signature of another algorithm is refused, whatever the key."""
    header = {"kid": KID, "typ": "at+jwt"}
    assert refused(jwt.encode(claims(), FOREIGN[alg](), algorithm=alg, headers=header))


@pytest.mark.hazard("A3")
@pytest.mark.bite("tidegate_kit.auth.tokens.check_header", returns=None)
@pytest.mark.parametrize("alg", ["es256", "ES384", "ES256 ", "Es256", "RS256", 256])
def test_other_names_over_a_right_signature(alg: Any) -> None:
    """A3: the algorithm belongs to the ring entry; a token that names another is refused."""
    assert refused(signed({**HEADER, "alg": alg}))


def any_key(ring: KeyRing, kid: str) -> PublicKey:
    return ring_key()


@pytest.mark.hazard("A4")
@pytest.mark.bite(
    "tidegate_kit.auth.tokens.KeyRing.find", any_key, cases=("other-stage", "path", "sql", "url")
)
@pytest.mark.parametrize(
    "kid",
    [
        pytest.param(..., id="missing"),
        pytest.param("production-key-1", id="other-stage"),
        pytest.param("../../../dev/null", id="path"),
        pytest.param("' OR 1=1 --", id="sql"),
        pytest.param("https://evil.example/jwks.json", id="url"),
        pytest.param(f"{KID}\0", id="nul"),
        pytest.param(KID * 1000, id="10kB"),
        pytest.param(7, id="number"),
        pytest.param([KID], id="array"),
        pytest.param("", id="empty"),
    ],
)
def test_hostile_kids(kid: Any) -> None:
    """A4: only a kid of the ring is looked up, and looking it up reads nothing but the ring."""
    loads: list[int] = []

    def load() -> dict[str, PublicKey]:
        loads.append(1)
        return {KID: ring_key()}

    header = {name: value for name, value in {**HEADER, "kid": kid}.items() if value is not ...}
    using = verifier(load)
    assert all(refused(signed(header), using) for _ in range(20))
    assert len(loads) <= 1


@pytest.mark.hazard("A5")
@pytest.mark.bite("tidegate_kit.auth.tokens.signature_ok", returns=True)
@pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c"])
def test_embedded_keys(name: str) -> None:
    """A5: a key that the token brings along or points to is ignored."""
    own = ec.generate_private_key(ec.SECP256R1())
    brought = {
        "jwk": json.loads(jwt.algorithms.ECAlgorithm.to_jwk(own.public_key())),
        "jku": "https://evil.example/jwks.json",
        "x5u": "https://evil.example/cert.pem",
        "x5c": [base64.b64encode(b"certificate").decode()],
    }[name]
    assert refused(signed({**HEADER, name: brought}, key=own))
    # Ignored means ignored: beside a right signature it changes nothing.
    assert not refused(signed({**HEADER, name: brought}))


@pytest.mark.hazard("A6")
@pytest.mark.bite("tidegate_kit.auth.tokens.check_header", returns=None)
@pytest.mark.parametrize(
    "extra", [{"crit": ["exp-1"]}, {"crit": []}, {"b64": False}, {"b64": False, "crit": ["b64"]}]
)
def test_critical_headers(extra: dict[str, Any]) -> None:
    """A6: extensions that must be understood are not, so the token is refused."""
    assert refused(signed({**HEADER, **extra}))


# ---- A7 to A10: claims --------------------------------------------------------------------------


def with_text(name: str, literal: str) -> str:
    """A signed token whose claim is written exactly so."""
    payload = json.dumps(claims(**{name: "@"})).replace('"@"', literal)
    return signed(HEADER, payload)


@pytest.mark.hazard("A7")
@pytest.mark.bite("tidegate_kit.auth.tokens.TokenVerifier._check_claims", lenient_claims)
@pytest.mark.parametrize(
    "literal",
    ['"1e9"', "true", "NaN", "Infinity", "-Infinity", "-1", "1e30", "null", "[]", "1" * 400, "0"],
)
def test_insane_expiry(literal: str) -> None:
    """A7: an expiry that is no sane number in the future is refused."""
    assert refused(with_text("exp", literal))


@pytest.mark.hazard("A7")
@pytest.mark.bite("tidegate_kit.auth.tokens.TokenVerifier._check_claims", lenient_claims)
def test_missing_and_past_expiry() -> None:
    """A7: no expiry, and one past beyond the skew, are refused; within the skew it holds."""
    now = epoch(clock())
    assert refused(signed(HEADER, claims(exp=...)))
    assert refused(signed(HEADER, claims(exp=now - 60)))
    assert not refused(signed(HEADER, claims(exp=now - 59)))


@pytest.mark.hazard("A8")
@pytest.mark.bite("tidegate_kit.auth.tokens.SKEW_SECONDS", 10**6)
@pytest.mark.parametrize("name", ["nbf", "iat"])
def test_future_tokens(name: str) -> None:
    """A8: 60 seconds of skew are allowed, 61 are not, for nbf and iat alike."""
    now = epoch(clock())
    assert not refused(signed(HEADER, claims(**{name: now + 60})))
    assert refused(signed(HEADER, claims(**{name: now + 61})))


@pytest.mark.hazard("A9")
@pytest.mark.bite("tidegate_kit.auth.tokens.TokenVerifier._check_claims", lenient_claims)
@pytest.mark.parametrize(
    "issuer",
    [..., "", None, [ISSUER], f"{ISSUER}/", "https://api.example.com", ISSUER.upper()],
)
def test_foreign_issuers(issuer: Any) -> None:
    """A9: only this deployment's issuer, spelled exactly."""
    assert refused(signed(HEADER, claims(iss=issuer)))


@pytest.mark.hazard("A10")
@pytest.mark.bite("tidegate_kit.auth.tokens.TokenVerifier._check_claims", lenient_claims)
@pytest.mark.parametrize(
    "audience",
    [
        ...,
        "",
        None,
        [],
        ["tidegate-api"],
        ["tidegate-api", "analytics"],
        "analytics",
        "TIDEGATE-API",
    ],
)
def test_foreign_audiences(audience: Any) -> None:
    """A10: only this API's audience, alone."""
    assert refused(signed(HEADER, claims(aud=audience)))


@pytest.mark.parametrize("name", ["sub", "tid", "sid", "jti", "role", "nbf", "iat"])
def test_every_claim_is_needed(name: str) -> None:
    assert refused(signed(HEADER, claims(**{name: ...})))


# ---- A12: encodings -----------------------------------------------------------------------------


def loose_decode(text: str) -> bytes:
    clean = text.replace("+", "-").replace("/", "_").rstrip("=").strip()
    return base64.urlsafe_b64decode(clean + "=" * (-len(clean) % 4))


def non_canonical(token: str) -> str:
    """The same bytes with other unused bits in the last character."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]


MANGLED: dict[str, Callable[[str, str, str], str]] = {
    "padded": lambda h, p, s: f"{h}.{p}.{s}==",
    "non-canonical": lambda h, p, s: non_canonical(f"{h}.{p}.{s}"),
    "signature empty": lambda h, p, s: f"{h}.{p}.",
    "signature cut": lambda h, p, s: f"{h}.{p}.{s[:-4]}",
    "signature long": lambda h, p, s: f"{h}.{p}.{s}AAAA",
    "leading space": lambda h, p, s: f" {h}.{p}.{s}",
    "trailing newline": lambda h, p, s: f"{h}.{p}.{s}\n",
    "inner space": lambda h, p, s: f"{h}.{p} .{s}",
    "one segment": lambda h, p, s: h,
    "two segments": lambda h, p, s: f"{h}.{p}",
    "four segments": lambda h, p, s: f"{h}.{p}.{s}.{s}",
    "five segments": lambda h, p, s: f"{h}.{p}.{s}.{s}.{s}",
    "json": lambda h, p, s: json.dumps({"protected": h, "payload": p, "signature": s}),
    "empty header": lambda h, p, s: f".{p}.{s}",
    "1 MB": lambda h, p, s: f"{h}.{'A' * 1_000_000}.{s}",
    "dots": lambda h, p, s: "." * 1000,
    "not text": lambda h, p, s: f"{h}.{p}.\ud800",
}


@pytest.mark.hazard("A12")
@pytest.mark.bite(
    "tidegate_kit.auth.tokens.b64url_decode", loose_decode, cases=("padded", "non-canonical")
)
@pytest.mark.parametrize("how", MANGLED)
def test_mangled_tokens(how: str) -> None:
    """A12: one token has one text; every other text is refused without a crash."""
    assert refused(MANGLED[how](*signed(HEADER).split(".")))


@pytest.mark.hazard("A12")
@pytest.mark.parametrize(
    "header",
    [
        pytest.param('{"alg":"none","alg":"ES256","kid":"test-key-1","typ":"at+jwt"}', id="twice"),
        pytest.param("[]", id="array"),
        pytest.param('"ES256"', id="text"),
        pytest.param("null", id="null"),
        pytest.param("{", id="broken"),
        pytest.param("[" * 3000, id="deep"),
        pytest.param("\ufeff{}", id="bom"),
    ],
)
def test_headers_that_are_no_object(header: str) -> None:
    """A12: the header is one JSON object without repeated names."""
    assert refused(signed(header))


@pytest.mark.hazard("A12")
def test_payloads_that_are_no_object() -> None:
    """A12: the payload is one JSON object without repeated names."""
    doubled = json.dumps(claims())[:-1] + ',"sub":"u-2"}'
    for payload in ("[]", '"x"', "1", "{", doubled, "[" * 3000):
        assert refused(signed(HEADER, payload))


# ---- A24: signature values ----------------------------------------------------------------------


def edge(name: str, r: int, s: int, der: bytes) -> bytes:
    def raw(a: int, b: int) -> bytes:
        return a.to_bytes(32, "big") + b.to_bytes(32, "big")

    return {
        "der": der,
        "63 bytes": raw(r, s)[1:],
        "65 bytes": b"\0" + raw(r, s),
        "r zero": raw(0, s),
        "s zero": raw(r, 0),
        "both zero": raw(0, 0),
        "r order": raw(ORDER, s),
        "s order": raw(r, ORDER),
        "r beyond": raw(min(r + ORDER, 2**256 - 1), s),
        "s beyond": raw(r, 2**256 - 1),
    }[name]


EDGES = [
    "der", "63 bytes", "65 bytes", "r zero", "s zero", "both zero", "r order", "s order",
    "r beyond", "s beyond",
]  # fmt: skip


@pytest.mark.hazard("A24")
@pytest.mark.bite("tidegate_kit.auth.tokens.signature_ok", returns=True)
@pytest.mark.parametrize("name", EDGES)
def test_edge_signatures(name: str) -> None:
    """A24: r and s are 32 bytes each, between 1 and the order."""
    text = f"{part(HEADER)}.{part(claims())}"
    raw = raw_signature(text)
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    forged = edge(name, r, s, encode_dss_signature(r, s))
    assert refused(f"{text}.{b64url_encode(forged)}")


@pytest.mark.hazard("A24")
def test_the_malleable_twin_verifies() -> None:
    """A24: (r, n-s) verifies too, so nothing may key on a token's text or signature."""
    text = f"{part(HEADER)}.{part(claims())}"
    raw = raw_signature(text)
    s = ORDER - int.from_bytes(raw[32:], "big")
    twin = f"{text}.{b64url_encode(raw[:32] + s.to_bytes(32, 'big'))}"
    assert not refused(twin)


# ---- A27, A29 -----------------------------------------------------------------------------------


def always_load(ring: KeyRing, now: Any) -> None:
    ring._keys = ring._load()


@pytest.mark.hazard("A27")
@pytest.mark.bite("tidegate_kit.auth.tokens.KeyRing._refresh", always_load)
def test_a_flood_of_unknown_kids() -> None:
    """A27: a thousand unknown kids cause one read an interval, not one a request."""
    loads: list[int] = []

    def load() -> dict[str, PublicKey]:
        loads.append(1)
        return {KID: ring_key()}

    moving = FixedClock(clock())
    using = TokenVerifier(KeyRing(load, moving), ISSUER, moving)
    for number in range(1000):
        assert refused(signed({**HEADER, "kid": f"unknown-{number}"}), using)
    assert len(loads) == 1
    moving.advance(seconds=60)
    assert refused(signed({**HEADER, "kid": "unknown"}), using)
    assert len(loads) == 2


def legacy_claims(**changes: Any) -> dict[str, Any]:
    now = epoch(clock())
    made = {
        "iss": ISSUER, "aud": "tidegate-api", "sub": "ada@example.com", "id": "u-1",
        "role": "admin", "iat": now, "exp": now + 3600,
    }  # fmt: skip
    return {name: value for name, value in {**made, **changes}.items() if value is not ...}


def legacy_verifier(policy: LegacyPolicy) -> TokenVerifier:
    return TokenVerifier(KeyRing(lambda: {KID: ring_key()}, clock), ISSUER, clock, policy)


OPEN = LegacyPolicy(enabled=True, until=clock() + timedelta(days=1))


@pytest.mark.hazard("A29")
@pytest.mark.bite("tidegate_kit.auth.tokens.LegacyPolicy.accepts", returns=True, cases=("closed",))
@pytest.mark.parametrize(
    "policy",
    [
        pytest.param(LegacyPolicy(), id="closed"),
        pytest.param(LegacyPolicy(enabled=True), id="closed without end"),
        pytest.param(LegacyPolicy(enabled=True, until=clock()), id="closed since now"),
    ],
)
def test_the_legacy_layout_switched_off(policy: LegacyPolicy) -> None:
    """A29: switched off or after its end, the old layout is refused under its own code."""
    token = signed({**HEADER, "typ": "JWT"}, legacy_claims())
    using = legacy_verifier(policy)
    assert refused(token, using)
    with pytest.raises(Unauthenticated) as caught:
        using.verify(token)
    assert caught.value.code == "TOKEN_FORMAT_RETIRED"


@pytest.mark.hazard("A29")
def test_the_legacy_layout_passes_the_same_checks() -> None:
    """A29: the same ring, header and claim checks; only the mapping differs."""
    using = legacy_verifier(OPEN)
    mapped = using.verify(signed({**HEADER, "typ": "JWT"}, legacy_claims()))
    assert (mapped.user_id, mapped.tenant_id, mapped.session_id) == ("u-1", None, None)
    now = epoch(clock())
    for changed in (
        {"iss": "https://evil.example"}, {"aud": "analytics"}, {"exp": now - 61}, {"exp": ...},
        {"iat": now + 61}, {"exp": now + 86401}, {"id": 7}, {"role": ...}, {"id": ""},
    ):  # fmt: skip
        assert refused(signed({**HEADER, "typ": "JWT"}, legacy_claims(**changed)), using)
    other = ec.generate_private_key(ec.SECP256R1())
    assert refused(signed(HEADER, legacy_claims(), key=other), using)
    assert refused(signed({**HEADER, "alg": "HS256"}, legacy_claims()), using)
    # Today's layout never passes under the old type.
    assert refused(signed({**HEADER, "typ": "JWT"}), using)


# ---- foreign vectors ----------------------------------------------------------------------------


def vector_file(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((vectors("wycheproof") / name).read_text())
    return data


def ring_of(jwk: dict[str, Any]) -> dict[str, PublicKey]:
    """The ring for a vector's key. A ring holds signing keys on P-256 and nothing else."""
    if jwk.get("kty") != "EC" or jwk.get("use", "sig") != "sig" or "key_ops" in jwk:
        return {}
    try:
        return {jwk["kid"]: public_key(jwk["kid"], jwk["x"], jwk["y"], "active")}
    except ValueError:
        return {}


@pytest.mark.hazard("A12")
@pytest.mark.bite("tidegate_kit.auth.tokens.signature_ok", returns=True)
def test_wycheproof_signatures() -> None:
    """A12: all 355 invalid and 44 foreign-algorithm JWS are refused, both valid ES256 pass."""
    wrong: list[int] = []
    accepted = 0
    for group in vector_file("json_web_signature_test.json")["testGroups"]:
        jwk = group.get("public") or group["private"]
        ring = KeyRing(lambda jwk=jwk: ring_of(jwk), clock)  # type: ignore[misc]
        for case in group["tests"]:
            jws = case["jws"] if isinstance(case["jws"], str) else json.dumps(case["jws"])
            good = case["result"] == "valid" and jwk.get("alg") == "ES256"
            try:
                open_jws(jws, ring)
                passed = True
            except TokenInvalid:
                passed = False
            accepted += passed
            if passed != good:
                wrong.append(case["tcId"])
    assert wrong == []
    assert accepted == 2


@pytest.mark.hazard("A24")
@pytest.mark.bite("tidegate_kit.auth.tokens.signature_ok", returns=True)
def test_wycheproof_raw_ecdsa() -> None:
    """A24: every one of the 262 raw P-256 signatures is judged as the vectors say."""
    judged = 0
    wrong: list[int] = []
    for group in vector_file("ecdsa_secp256r1_sha256_p1363_test.json")["testGroups"]:
        point = bytes.fromhex(group["publicKey"]["uncompressed"])
        x, y = b64url_encode(point[1:33]), b64url_encode(point[33:])
        key = public_key("vector", x, y, "active")
        for case in group["tests"]:
            judged += 1
            passed = tokens.signature_ok(
                bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"]), key
            )
            if passed != (case["result"] == "valid"):
                wrong.append(case["tcId"])
    assert wrong == []
    assert judged == 262
