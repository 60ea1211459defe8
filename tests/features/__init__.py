"""Which test shows which promise: rows, the tests that carry their numbers, and the table of both."""
