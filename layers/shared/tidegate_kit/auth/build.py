"""The authenticator of this deployment, for HTTP and WebSocket functions alike."""

from __future__ import annotations

from tidegate_kit.auth.authenticate import Authenticator, DynamoMemberStore, load_public_keys
from tidegate_kit.auth.tokens import KeyRing, TokenVerifier
from tidegate_kit.clock import Clock
from tidegate_kit.legacy import RuntimeLegacyPolicy
from tidegate_kit.settings import Settings


def build_authenticator(settings: Settings, clock: Clock) -> Authenticator:
    """Verifier on the published key ring, members on the identity table (IMP-6: the only one)."""
    legacy = RuntimeLegacyPolicy(settings, clock)
    ring = KeyRing(load_public_keys, clock)
    verifier = TokenVerifier(ring, settings.jwt_issuer, clock, legacy)
    return Authenticator(verifier, DynamoMemberStore(), clock)
