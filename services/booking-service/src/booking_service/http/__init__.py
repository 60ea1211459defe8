"""The HTTP side: paths, what they take and give, and how a refusal reads."""
