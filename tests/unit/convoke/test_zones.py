"""Which zones there are is the same on every machine: it is the list of the IANA, not what lies in a folder."""

import zoneinfo
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from convoke.contracts import wire

ZONE = TypeAdapter[str](wire.Zone)


@pytest.mark.parametrize(
    "name", ["Europe/Berlin", "America/Argentina/Buenos_Aires", "Asia/Calcutta", "Etc/GMT+5", "UTC"]
)
def test_a_zone_of_the_iana_is_taken_and_so_is_an_old_name(name: str):
    assert ZONE.validate_python(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "localtime",
        "Factory",
        "posixrules",
        "posix/Europe/Berlin",
        "right/UTC",
        "zone.tab",
        "europe/berlin",
        "",
        "../UTC",
    ],
)
def test_what_only_some_machines_take_for_a_zone_is_refused(name: str):
    with pytest.raises(ValidationError, match="is no IANA time zone"):
        ZONE.validate_python(name)


def test_the_list_does_not_change_with_the_machine(tmp_path: Path):
    (tmp_path / "Mars").write_bytes(b"TZif2")
    known = wire.iana_zones()
    wire.iana_zones.cache_clear()
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath([tmp_path])
    try:
        assert "Mars" in zoneinfo.available_timezones()
        assert wire.iana_zones() == known
    finally:
        zoneinfo.reset_tzpath(before)
    with pytest.raises(ValidationError):
        ZONE.validate_python("Mars")
