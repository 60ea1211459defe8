"""Quiet logs, as for the crash points: a hundred worlds write more than anybody reads."""

from tests.faults.crashes.conftest import quiet_logs

__all__ = ["quiet_logs"]
