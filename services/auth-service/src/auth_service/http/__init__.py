"""The paths of auth-service: tokens for callers, connecting Zoom, and Zoom's tokens for meeting-service."""
