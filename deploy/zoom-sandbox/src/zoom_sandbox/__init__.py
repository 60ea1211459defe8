"""A Zoom-shaped HTTP server with state, limits and faults on demand."""
