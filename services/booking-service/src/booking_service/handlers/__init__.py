"""What the service does when asked over HTTP, and when told by an event."""
