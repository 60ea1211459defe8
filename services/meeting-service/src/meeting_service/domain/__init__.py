"""The rules of a session's meeting: what is wanted, what is there, and the one next step between them."""
