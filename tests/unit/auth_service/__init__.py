"""auth-service without any server."""
