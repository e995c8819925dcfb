"""The certificate that a server shows: a handshake, no request."""

from __future__ import annotations

import socket
import ssl
from datetime import datetime
from urllib.parse import urlsplit

from cryptography import x509

from tidegate_kit.errors import ServiceUnavailable

_SECONDS = 5.0
_HTTPS = 443


def certificate_ends(url: str) -> datetime | None:
    """When the certificate of an https URL's host ends; None for http.

    For our own addresses only: it dials what the settings name. Nothing about the certificate is
    trusted, so an expired one is told too. Raises ServiceUnavailable.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" or parts.hostname is None:
        return None
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((parts.hostname, parts.port or _HTTPS), _SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=parts.hostname) as secured,
        ):
            shown = secured.getpeercert(binary_form=True)
    except OSError as error:
        raise ServiceUnavailable(log=f"certificate: {error}") from error
    if shown is None:
        raise ServiceUnavailable(log="certificate: none was shown")
    return x509.load_der_x509_certificate(shown).not_valid_after_utc
