"""What `make audit` says: nothing known, something known, or nobody asked."""

import json

import pytest

from tests import audit

SOUND = {"name": "sound", "version": "1", "vulns": []}
WEAK = {"name": "weak", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]}
UNKNOWN = {"name": "unknown", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("packages", "status", "text"),
    [
        ([SOUND], 0, "no weakness is known of 1 packages"),
        ([SOUND, WEAK, UNKNOWN], 1, "weak 2: PYSEC-1 (mended in 3)"),
        ([SOUND, UNKNOWN], 3, "not audited: 1 of 2 packages"),
        ([], 3, "not audited"),
    ],
)
def test_an_audit_that_could_not_ask_is_not_one_that_found_nothing(packages: list[object], status: int, text: str):
    found, said = audit.verdict({"dependencies": packages})
    assert found == status
    assert text in said


def test_asvs_15_1_2_the_bill_of_materials_names_every_locked_package_with_its_hashes():
    audit.write_bill()
    named = {one["name"]: one for one in json.loads(audit.BILL.read_text())["components"]}
    locked = [line.split("==")[0] for line in audit.LOCKED.read_text().splitlines() if "==" in line]
    assert len(locked) > 40
    assert set(named) == set(locked)
    assert all(one["externalReferences"][0]["hashes"] for one in named.values())
