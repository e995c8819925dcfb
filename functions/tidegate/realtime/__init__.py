"""Live updates over WebSocket: tickets, connections, events, replay (contract part 3)."""
