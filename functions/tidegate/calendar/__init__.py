"""Calendar events and tasks of one user, iCalendar files, Google Calendar sync (contract 2.3)."""
