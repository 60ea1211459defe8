"""What looks for secrets finds them in every form that a mail, an address or a stored body may give them."""

import base64
import json
import quopri
from collections.abc import Callable
from urllib.parse import quote

import pytest

from tests.e2e.in_the_clear import Leak, Value, answers_of, leaks


def plain(secret: str) -> str:
    return f"a text with {secret} in it"


def as_json_in_base64(secret: str) -> str:
    return base64.b64encode(json.dumps({"a": secret}).encode()).decode()


def as_mime(secret: str) -> str:
    return "Subject: x\r\n\r\n" + base64.encodebytes(f"{'Join here: ' * 9}{secret} by all means".encode()).decode()


def quoted_in_mime(secret: str) -> str:
    return quopri.encodestring(f"{'ä' * 40} {secret} {'ö' * 40}".encode()).decode()


def quoted_in_base64(secret: str) -> str:
    return base64.urlsafe_b64encode(quoted_in_mime(secret).encode()).decode()


def in_an_address(secret: str) -> str:
    return f"https://x.example/?next={quote(f'https://y.example/?a=ü&secret={secret}', safe='')}"


def in_hexadecimal(secret: str) -> str:
    return secret.encode().hex()


@pytest.mark.parametrize(
    "form",
    [plain, as_json_in_base64, as_mime, quoted_in_mime, quoted_in_base64, in_an_address, in_hexadecimal],
)
@pytest.mark.parametrize("secret", ["Pa55cd", "aLongerPasscodeOfALink_-7.1", "eyJhbGciOi.x-y_z" * 50])
def test_f73_a_secret_is_found_in_whatever_form(secret: str, form: Callable[[str], str]):
    found = leaks([Value("here", form(secret).encode()), Value("there", form("another").encode())], {"kind": [secret]})
    assert found == {Leak("kind", "here")}


def test_f73_a_short_secret_is_none_within_a_longer_word():
    assert leaks([Value("here", b"xPa55cdx")], {"kind": ["Pa55cd"]}) == set()


def test_f73_a_verifier_is_found_by_its_challenge():
    verifier, challenge = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    assert answers_of([Value("here", as_mime(verifier).encode()), Value("there", b"x" * 43)], challenge) == {"here"}


def test_f73_nothing_to_look_for_is_no_finding():
    with pytest.raises(ValueError, match="nothing to look for of codes"):
        leaks([Value("here", b"text")], {"codes": []})
