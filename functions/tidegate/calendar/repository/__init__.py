"""What the calendar domain stores."""
