"""When the certificate of the public address ends (EVT-6: certificate-check)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tidegate.monitoring.repository.alerts import Alert, Alerts

CERTIFICATE_ALERT = "certificate"
WARN_DAYS = 21


class CertificateProbe(Protocol):
    """Looks at the address that clients use."""

    def ends(self) -> datetime | None:
        """When its certificate ends; None where it has none (plain http).

        Raises ServiceUnavailable where nothing answers.
        """


@dataclass(frozen=True)
class Certificate:
    """The end of a certificate, None of an address without one."""

    expires_at: datetime | None
    days_left: int | None


def certificate_at(probe: CertificateProbe, now: datetime) -> Certificate:
    """The certificate as it is shown now. Raises ServiceUnavailable."""
    ends = probe.ends()
    return Certificate(ends, None if ends is None else (ends - now).days)


def check(probe: CertificateProbe, alerts: Alerts, now: datetime) -> Certificate:
    """Open the alert at 21 days or less, close it otherwise."""
    found = certificate_at(probe, now)
    if found.days_left is None or found.days_left > WARN_DAYS:
        alerts.close(CERTIFICATE_ALERT)
        return found
    severity = "critical" if found.days_left < 7 else "warning"
    message = f"the certificate of the public address ends in {found.days_left} days"
    alerts.open(Alert(CERTIFICATE_ALERT, severity, message, now, {"days_left": found.days_left}))
    return found
