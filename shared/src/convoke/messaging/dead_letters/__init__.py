"""What a service could not digest: kept in its own database until an operator replays or discards it."""
