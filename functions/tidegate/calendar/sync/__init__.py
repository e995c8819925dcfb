"""Two-way sync with Google Calendar."""
