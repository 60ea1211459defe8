"""The HTTP side: what an operator may see and do; nobody else calls this service."""
