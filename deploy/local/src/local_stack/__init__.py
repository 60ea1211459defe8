"""The whole system on local processes, and the demo."""
