"""`export` of booking-service, as an operator uses it."""

import json
from datetime import UTC, datetime

from tests.integration.commands.conftest import Programs


async def test_f69_an_operator_gets_a_line_of_json_for_each_thing_of_a_person(programs: Programs):
    hosts = [
        {"_id": f"hst_{name}", "organization_id": "org_1", "name": name, "email": f"{name}@host.example"}
        | {"timezone": "UTC", "locale": "en", "created_at": datetime.now(UTC), "idempotency": []}
        for name in ("ada", "ben")
    ]
    await programs.database("booking_service")["hosts"].insert_many(hosts)
    done = await programs.run("booking_service", "export", "--organization", "org_1", "--person", "Ada@host.example")
    assert (done.status, done.errors) == (0, "")
    [record] = [json.loads(line) for line in done.output.splitlines()]
    assert (record["kind"], record["name"]) == ("host", "ada")
