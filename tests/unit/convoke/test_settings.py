"""A wrong environment is refused with one line that names every setting at fault, and never shows a value."""

import base64
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from convoke.settings import InvalidSettings, ServiceSettings, load

CANARY = "canary-7f3a"
KEY = base64.b64encode(b"k" * 32).decode()
VALID = {
    "RABBITMQ_URL": "amqp://guest@127.0.0.1/",
    "MONGODB_URL": "mongodb://127.0.0.1/",
    "PUBLIC_URL": "http://127.0.0.1",
    "HTTP_PORT": "8001",
    "ENCRYPTION_KEYS": f"k1={KEY}",
}


class Named(ServiceSettings):
    client_secret: SecretStr
    zoom_url: str = "https://zoom.us"


def refusal(**changes: str | None) -> str:
    environment = {name: value for name, value in {**VALID, **changes}.items() if value is not None}
    with pytest.raises(InvalidSettings) as refused:
        load(ServiceSettings, environment)
    return str(refused.value)


def test_a_whole_environment_is_read_and_what_is_foreign_is_ignored():
    settings = load(Named, {**VALID, "CLIENT_SECRET": "s", "PATH": "/bin"})
    assert (settings.http_port, settings.client_secret.get_secret_value()) == (8001, "s")
    assert (settings.log_level, settings.zoom_url) == ("INFO", "https://zoom.us")


@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_setting_is_named(value: str | None):
    assert refusal(MONGODB_URL=value) == "MONGODB_URL is missing"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTP_PORT", CANARY),
        ("HTTP_PORT", "70000"),
        ("LOG_LEVEL", CANARY),
        ("TRUSTED_PROXIES", CANARY),
        ("ENCRYPTION_KEYS", CANARY),
    ],
)
def test_a_wrong_setting_is_named_without_its_value(name: str, value: str):
    text = refusal(**{name: value})
    assert text.startswith(f"{name}: ")
    assert value not in text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RABBITMQ_URL", "http://x"),
        ("RABBITMQ_URL", "amqp://"),
        ("RABBITMQ_URL", f"amqp://guest:{CANARY}@broker:none/"),
        ("RABBITMQ_URL", f"amqp://guest:{CANARY}@\u2100/"),
        ("MONGODB_URL", "nonsense"),
        ("MONGODB_URL", "mongodb:///?replicaSet=rs"),
        ("MONGODB_URL", "127.0.0.1:27017"),
        ("PUBLIC_URL", "foo"),
        ("PUBLIC_URL", "//foo"),
        ("PUBLIC_URL", "https://"),
        ("PUBLIC_URL", "http://foo:99999"),
        ("PUBLIC_URL", "http://[foo"),
    ],
)
def test_an_address_that_leads_nowhere_is_refused(name: str, value: str):
    text = refusal(**{name: value})
    assert text.startswith(f"{name}: is no address with a host that begins with ")
    assert CANARY not in text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RABBITMQ_URL", "amqps://user:pass%2Fword@broker.example:5671/vhost"),
        ("RABBITMQ_URL", "amqp://localhost"),
        ("MONGODB_URL", "mongodb://user:pass@a:1,b:2,c:3/?replicaSet=rs"),
        ("MONGODB_URL", "mongodb+srv://cluster.example/"),
        ("MONGODB_URL", "mongodb://%2Ftmp%2Fmongodb-27017.sock"),
        ("PUBLIC_URL", "https://book.example/somewhere/"),
        ("PUBLIC_URL", "http://[::1]:8001"),
    ],
)
def test_an_address_that_leads_somewhere_is_taken_as_it_is(name: str, value: str):
    taken = getattr(load(ServiceSettings, VALID | {name: value}), name.lower())
    assert (taken if isinstance(taken, str) else taken.get_secret_value()) == value


def test_all_that_is_wrong_is_named_in_one_line(tmp_path: Path):
    text = refusal(
        MONGODB_URL=None,
        RABBITMQ_URL_FILE=str(tmp_path / "none"),
        HTTP_PORT=CANARY,
        ENCRYPTION_KEYS=f"k1={CANARY}",
        LOG_LEVEL=CANARY,
    )
    assert all(
        name in text for name in ("MONGODB_URL", "RABBITMQ_URL_FILE", "HTTP_PORT", "ENCRYPTION_KEYS", "LOG_LEVEL")
    )
    assert len(text.splitlines()) == 1
    assert CANARY not in text


def test_asvs_13_3_1_a_file_stands_for_the_value_and_wins_over_it(tmp_path: Path):
    file = tmp_path / "url"
    file.write_text("mongodb://from-the-file/\n")
    settings = load(ServiceSettings, {**VALID, "MONGODB_URL_FILE": str(file)})
    assert settings.mongodb_url.get_secret_value() == "mongodb://from-the-file/"


def test_an_empty_file_is_a_missing_setting(tmp_path: Path):
    (tmp_path / "empty").write_text("\n")
    assert refusal(MONGODB_URL=None, MONGODB_URL_FILE=str(tmp_path / "empty")) == "MONGODB_URL is missing"


def test_a_file_that_is_not_there_is_named_by_its_setting():
    assert refusal(MONGODB_URL_FILE=f"/{CANARY}") == "MONGODB_URL_FILE cannot be read (No such file or directory)"


def test_a_folder_in_place_of_a_file_is_refused(tmp_path: Path):
    assert refusal(MONGODB_URL_FILE=str(tmp_path)) == "MONGODB_URL_FILE cannot be read (Is a directory)"


def test_a_file_that_is_no_text_is_refused(tmp_path: Path):
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    assert "MONGODB_URL_FILE cannot be read (it is not UTF-8)" in refusal(MONGODB_URL_FILE=str(tmp_path / "binary"))


def test_a_secret_in_place_of_its_file_is_not_shown():
    assert CANARY not in refusal(MONGODB_URL_FILE=CANARY)


@pytest.mark.parametrize("text", [f"k1={KEY}", f" k1={KEY} , k2={KEY},", f"2026-11_a={KEY}"])
def test_a_key_ring_keeps_the_order_of_its_keys(text: str):
    ring = load(ServiceSettings, {**VALID, "ENCRYPTION_KEYS": text}).encryption_keys
    assert list(ring) == [part.strip().partition("=")[0] for part in text.split(",") if part.strip()]
    assert all(key.get_secret_value() == b"k" * 32 for key in ring.values())


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (",", "holds no key"),
        (KEY, "is not a list of kid=base64 pairs"),
        (f"={KEY}", "is not a list of kid=base64 pairs"),
        (f"2026.1={KEY}", "is not a list of kid=base64 pairs"),
        ("k1=" + KEY[:20], "key 'k1' has 15 bytes, 32 are needed"),
        ("k1=" + KEY[1:], "key 'k1' is not base64"),
        (f"k1={KEY},k1={KEY}", "holds two keys with the id 'k1'"),
    ],
)
def test_a_wrong_key_ring_is_refused_with_what_is_wrong_and_without_a_key(text: str, complaint: str):
    refused = refusal(ENCRYPTION_KEYS=text)
    assert refused.startswith(f"ENCRYPTION_KEYS: {complaint}")
    assert KEY.rstrip("=") not in refused


def test_a_service_ends_with_status_2_and_the_line_on_standard_error():
    program = "from convoke.settings import *; load_or_exit(ServiceSettings)"
    ended = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program],
        env=VALID | {"HTTP_PORT": CANARY},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("cannot start: HTTP_PORT: ")
    assert len(ended.stderr.splitlines()) == 1
    assert CANARY not in ended.stderr + ended.stdout


def test_secrets_do_not_show_in_a_repr():
    settings = load(ServiceSettings, VALID | {"MONGODB_URL": f"mongodb://user:{CANARY}@a/"})
    assert CANARY not in f"{settings!r} {settings}"
    assert "kkkk" not in repr(settings)
