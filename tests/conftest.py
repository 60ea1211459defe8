"""Fixtures every test may ask for; they live beside what they start, in `tests/support`."""

pytest_plugins = ["tests.support.servers"]
