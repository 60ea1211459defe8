"""SECURITY.md lists every collection that a running system makes, and none that it does not."""

import re
from pathlib import Path

from tests.integration.security.system import System
from tests.integration.security.tenants import Tenants

SECURITY = Path(__file__).parents[3] / "SECURITY.md"
ROW = re.compile(r"^\| (auth|booking|meeting|notifier) \| `(\w+)` \|", re.MULTILINE)
MADE_WHEN_NEEDED = {("meeting", "budgets"), ("meeting", "outages"), ("auth", "choices")}


def made(system: System, tenants: Tenants) -> set[tuple[str, str]]:
    """Return the collections of all services, with the names of their databases as they are in production."""
    return {
        (service.removesuffix("-service"), name)
        for service, settings in system.settings.items()
        for name in tenants.databases[settings.mongodb_database].list_collection_names()
    }


def test_f71_every_collection_is_in_the_list_of_what_is_stored(system: System, tenants: Tenants):
    listed = set(ROW.findall(SECURITY.read_text()))
    assert made(system, tenants) - listed == set(), "say in SECURITY.md what it holds, how long, and who erases it"
    assert listed - made(system, tenants) - MADE_WHEN_NEEDED == set(), "SECURITY.md lists what is not there"
