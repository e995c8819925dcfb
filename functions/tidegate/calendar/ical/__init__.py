"""iCalendar files (RFC 5545). The library is imported where it is used: it is heavy."""
