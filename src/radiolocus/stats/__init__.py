"""Statistics on bare arrays."""
