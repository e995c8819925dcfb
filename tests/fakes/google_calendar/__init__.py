"""A local Google: Calendar API v3 and OAuth endpoints that behave as Google documents them.

    google = FakeGoogle(clock)
    with serving(google) as base_url: ...

Sources: Calendar API v3 reference (Events), "Synchronize resources efficiently", "Handle API
errors", "Get specific versions of resources" (etags), OAuth 2.0 for web server applications.
"""

from tests.fakes.google_calendar.app import FakeGoogle
from tests.fakes.google_calendar.server import serving

__all__ = ["FakeGoogle", "serving"]
