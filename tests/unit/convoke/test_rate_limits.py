"""So many within so long, for each client apart, and whose address counts."""

import httpx
import pytest
from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from convoke.problems import answer_with_problems
from convoke.rate_limits import MOST_KEYS, RateLimit, client_of, limited


class Watch:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


def test_so_many_at_once_and_then_one_by_one(watch: Watch):
    limit = RateLimit(3, 60, watch)
    assert [limit.take("a") for _ in range(3)] == [0, 0, 0]
    assert limit.take("a") == pytest.approx(20)
    watch.now += 20
    assert limit.take("a") == 0
    assert limit.take("a") == pytest.approx(20)
    watch.now += 60
    assert [limit.take("a") for _ in range(3)] == [0, 0, 0]


def test_each_key_is_counted_apart_and_what_is_given_back_counts_no_more(watch: Watch):
    limit = RateLimit(1, 60, watch)
    assert limit.take("a") == 0
    assert limit.take("b") == 0
    assert limit.take("a") > 0
    limit.give_back("a")
    assert limit.take("a") == 0


def test_who_asks_again_too_soon_does_not_wait_longer_for_it(watch: Watch):
    limit = RateLimit(1, 60, watch)
    limit.take("a")
    assert [limit.take("a") for _ in range(10)] == [pytest.approx(60)] * 10


def test_api4_made_up_clients_fill_no_memory(watch: Watch):
    limit = RateLimit(1, 60, watch)
    for number in range(MOST_KEYS + 10):
        limit.take(str(number))
    assert len(limit._full_until) == MOST_KEYS  # noqa: SLF001 - memory is not seen from outside
    assert limit.take(str(MOST_KEYS)) > 0


def app(limit: RateLimit) -> FastAPI:
    app = FastAPI(dependencies=[Depends(limited(limit))])
    answer_with_problems(app)

    @app.get("/who")
    async def who(request: Request) -> str:
        return client_of(request)

    @app.get("/page", response_class=HTMLResponse)
    async def page() -> str:
        return "a page"

    return app


async def asked(application: object, path: str, client: str = "192.0.2.1", **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(application, client=(client, 1))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://service.test") as http:
        return await http.get(path, headers=headers)


async def test_who_asks_too_often_gets_a_problem_that_says_when_to_come_again(watch: Watch):
    service = app(RateLimit(1, 60, watch))
    assert (await asked(service, "/who")).status_code == 200
    refused = await asked(service, "/who")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["type"] == "too-many-requests"
    assert (await asked(service, "/who", client="192.0.2.2")).status_code == 200


async def test_whoever_looks_at_a_page_too_often_sees_a_page(watch: Watch):
    service = app(RateLimit(1, 60, watch))
    await asked(service, "/page")
    refused = await asked(service, "/page")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
    assert refused.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    ("client", "counted"),
    [("192.0.2.1", "192.0.2.1"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"), ("testclient", "testclient")],
)
async def test_a_client_is_its_address_or_its_whole_ipv6_network(watch: Watch, client: str, counted: str):
    assert (await asked(app(RateLimit(9, 60, watch)), "/who", client)).json() == counted


@pytest.mark.parametrize(
    ("proxy", "counted"),
    [("10.0.0.7", "198.51.100.9"), ("203.0.113.5", "203.0.113.5")],
    ids=["of a trusted proxy", "of somebody else"],
)
async def test_api4_nobody_but_a_trusted_proxy_says_for_whom_it_asks(watch: Watch, proxy: str, counted: str):
    """Uvicorn's own, as `serve` sets it up from TRUSTED_PROXIES; what a client itself put in front does not count."""
    behind = ProxyHeadersMiddleware(app(RateLimit(9, 60, watch)), trusted_hosts="10.0.0.0/8")  # type: ignore[arg-type]
    forwarded = {"x-forwarded-for": "192.0.2.66, 198.51.100.9"}
    assert (await asked(behind, "/who", proxy, **forwarded)).json() == counted
