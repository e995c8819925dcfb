"""Table streams to the event bus: what other systems hear (contract part 4, EVT-4, EVT-5)."""
