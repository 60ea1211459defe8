"""What auth-service does: connecting Zoom, keeping tokens fresh, and handing them out."""
