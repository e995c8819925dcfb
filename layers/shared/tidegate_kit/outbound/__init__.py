"""The only HTTP client for addresses that users give us (INT-7, hazards F1 to F13, F20)."""

from tidegate_kit.outbound.address import is_public
from tidegate_kit.outbound.client import OutboundAnswer, OutboundClient
from tidegate_kit.outbound.errors import OutboundFailed, OutboundRefused
from tidegate_kit.outbound.headers import HOP_HEADER, MAX_HOPS, hops_of
from tidegate_kit.outbound.policy import OutboundPolicy
from tidegate_kit.outbound.resolver import Resolver, system_resolver
from tidegate_kit.outbound.sockets import OpenSocket, checked_socket, socket_opener
from tidegate_kit.outbound.target import Target, parse_target

__all__ = [
    "HOP_HEADER",
    "MAX_HOPS",
    "OpenSocket",
    "OutboundAnswer",
    "OutboundClient",
    "OutboundFailed",
    "OutboundPolicy",
    "OutboundRefused",
    "Resolver",
    "Target",
    "checked_socket",
    "hops_of",
    "is_public",
    "parse_target",
    "socket_opener",
    "system_resolver",
]
