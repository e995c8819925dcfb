"""Channel adapters: one form for e-mail, twitter and instagram."""

from tidegate.integrations.channels.base import (
    CHANNELS,
    Adapter,
    Channel,
    ChannelError,
    Found,
    Mail,
    Mailer,
    Message,
    Sending,
)

__all__ = [
    "CHANNELS",
    "Adapter",
    "Channel",
    "ChannelError",
    "Found",
    "Mail",
    "Mailer",
    "Message",
    "Sending",
]
