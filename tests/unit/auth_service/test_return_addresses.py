"""Where an owner may be sent back to: nothing that a browser could read as another place (RFC 9700, 4.11)."""

from urllib.parse import urlsplit

import pytest

from auth_service.domain.organizations import Organization, ReturnNotAllowed
from auth_service.domain.return_addresses import NotAReturnAddress, is_allowed, registered, with_result

REGISTERED = ("https://app.ok.example/settings", "https://ok.example", "http://127.0.0.1:3000/dev/")


@pytest.mark.parametrize(
    "address",
    [
        "https://app.ok.example/settings",
        "https://app.ok.example/settings/",
        "https://APP.ok.example:443/settings/integrations?tab=zoom&step=2",
        "https://app.ok.example/settings?draft=%7B%22title%22%3A%22x%22%7D",
        "https://ok.example",
        "https://ok.example/any/where?next=https://evil.example",
        "http://127.0.0.1:3000/dev/x",
    ],
)
def test_f2_f3_f4_an_owner_may_return_to_what_lies_below_a_registered_address(address: str):
    assert is_allowed(address, REGISTERED)


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/settings",
        "https://app.ok.example/",
        "https://app.ok.example/settingsandmore",
        "https://app.ok.example/Settings",
        "https://app.ok.example:8443/settings",
        "https://sub.app.ok.example/settings",
        "https://app.ok.example.evil/settings",
        "https://app.ok.example.",
        "http://127.0.0.1:3001/dev",
        "http://127.0.0.1/dev",
        "https://127.0.0.1:3000/dev",
        "https://ok.example:0/",
        "//evil.example",
        "https://ok.example@evil.example",
        "https://ok.example:x@evil.example",
        "https://ok.example%40evil.example",
        "https://evil.example\\@ok.example",
        "https://ok.example\\.evil.example",
        "https:/\\ok.example/",
        "https:///ok.example",
        "https:ok.example",
        "/settings",
        "",
        "javascript:alert(1)//https://ok.example",
        "data:text/html,x",
        "http://ok.example/",
        "ftp://ok.example/",
        "https://app.ok.example/settings/../admin",
        "https://app.ok.example/settings/%2e%2e/admin",
        "https://app.ok.example/settings/%252e%252e/admin",
        "https://app.ok.example/settings/..%2fadmin",
        "https://app.ok.example/settings/..%5cadmin",
        "https://app.ok.example/settings/..;/admin",
        "https://app.ok.example/settings//evil.example",
        "https://app.ok.example//evil.example",
        "https://ok.example/\r\nSet-Cookie: a=b",
        "https://ok.example/\tx",
        "https://ok.example/%0d%0aSet-Cookie:x",
        "https://ok.example/\x00",
        " https://ok.example",
        "https://ok.example/ x",
        "https://\u043ek.example/",  # a Cyrillic o
        "https://ok.example\u3002evil.example/",
        "https://ok.example/#/route",
        "https://ok.example/?a=1#@evil.example",
        "https://[::1/",
        "https://ok.example:99999999/",
        "https://ok.example/?zoom=connected",
        "https://ok.example/?a=1&connection_id=zc_1",
        "https://ok.example/" + "x" * 2000,
    ],
)
def test_f9_no_trick_makes_the_way_back_an_open_redirect(address: str):
    organization = Organization("org_1", "Acme", return_addresses=REGISTERED)
    with pytest.raises((NotAReturnAddress, ReturnNotAllowed)):
        organization.check_may_return_to(address)


def test_nothing_is_allowed_where_nothing_is_registered():
    assert not is_allowed("https://ok.example/", ())


@pytest.mark.parametrize("address", ["https://ok.example/?a=1", "http://ok.example/", "https://*.ok.example/", "ok"])
def test_an_address_that_cannot_be_registered_says_why(address: str):
    with pytest.raises(NotAReturnAddress, match=r"address|query"):
        registered(address)


def test_f2_the_products_own_query_is_kept_and_the_result_follows():
    address = with_result("https://ok.example/edit?draft=a%20b&x=1", {"zoom": "failed", "reason": "code-refused"})
    assert address == "https://ok.example/edit?draft=a%20b&x=1&zoom=failed&reason=code-refused"
    assert urlsplit(with_result("https://ok.example", {"zoom": "kept"})).hostname == "ok.example"
