"""What this service holds of what is to be erased, collection by collection."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal

from convoke.clock import Clock
from convoke.erasure.portions import NEEDED, Erasure, Portion, Scope, create_index, tombstone, unmarked
from convoke.messaging.dead_letters.erasing import dead_letters_portions
from convoke.messaging.dead_letters.store import DeadLetters
from convoke.mongo import Database, Document

COLLECTIONS = ("connections", "authorizations", "choices", "clients")

_NOTHING_OF_ZOOM: Document = {
    "email": "",
    "zoom_user_id": "",
    "zoom_account_id": "",
    "plan": "unknown",
    "scopes": [],
    "api_url": "",
    "checkup.found": None,
}
"""An emptied connection keeps its id, its owner and its revision: connecting again makes it anew."""

_NOBODY: Document = {"id": "", "account_id": "", "email": "", "plan": "unknown"}

READS_RECEIPTS = "privacy.erase"
RECEIPT_READ_FOR = timedelta(days=30)
"""After that the client that had an organization erased is gone too: MongoDB removes it by its `forget_at`."""


class Portions:
    """Finds them for each scope."""

    def __init__(self, database: Database, dead_letters: DeadLetters, clock: Clock) -> None:
        self._database = database
        self._dead_letters = dead_letters
        self._clock = clock

    async def create_indexes(self) -> None:
        for name in COLLECTIONS:
            await create_index(self._database[name])
        await self._database["webhooks"].create_index("erased_by", name="erased_by", sparse=True)
        await self._database["clients"].create_index("forget_at", name="expiry", expireAfterSeconds=0)

    def of(self, erasure: Erasure) -> list[Portion]:
        """Return the portions of an erasure; Zoom is disconnected before they are erased."""
        of_scope: Mapping[Scope, list[Portion]] = {
            "zoom_data": [*self._of_zoom(erasure), *dead_letters_portions(self._dead_letters, erasure)],
            "person": [
                self._connections(erasure),
                self._choices(erasure),
                *dead_letters_portions(self._dead_letters, erasure),
            ],
            "organization": [
                *self._of_zoom(erasure),
                self._clients(erasure),
                self._organization(erasure),
                *dead_letters_portions(self._dead_letters, erasure),
            ],
        }
        return of_scope[erasure.scope]

    def _of_zoom(self, erasure: Erasure) -> list[Portion]:
        return [
            self._connections(erasure),
            self._authorizations(erasure),
            self._choices(erasure),
            self._webhooks(erasure),
        ]

    def _connections(self, erasure: Erasure) -> Portion:
        def emptied(document: Document) -> Document | Literal["needed"] | None:
            if not is_concerned(erasure, document):
                return None
            if document["status"] != "disconnected":
                return NEEDED
            return {"$set": _NOTHING_OF_ZOOM, "$inc": {"revision": 1}}

        owner = {"organization_id": erasure.organization_id}
        known = {"zoom_user_id": {"$ne": ""}}
        return Portion("zoom_connections", self._database["connections"], emptied, owner, known, guards=("revision",))

    def _authorizations(self, erasure: Erasure) -> Portion:
        def spent(document: Document) -> Document:
            return tombstone(document, "expires_at") | {"used_at": document["used_at"] or self._clock()}

        owner, pending = {"organization_id": erasure.organization_id}, {"is_erased": None} | _meant(erasure)
        return Portion("zoom_authorizations", self._database["authorizations"], spent, owner, pending)

    def _choices(self, erasure: Erasure) -> Portion:
        """Who they are goes at once; the tokens of one that waited are revoked first, as soon as Zoom answers.

        Those of one that was accepted may be the connection's by now: they wait until whoever carries it out has ended.
        """

        def ended(document: Document) -> Document | None:
            addresses = (document["user"].get("email"), document["former"].get("email"))
            if erasure.scope == "person" and not any(map(erasure.is_of, addresses)):
                return None
            nobody: Document = {"user": _NOBODY, "former": _NOBODY, "return_to": None}
            if "access" in document["tokens"]:
                nobody["decision"] = "expired"
            if document["decision"] is None:
                nobody["due_at"] = self._clock()
            return {"$set": nobody}

        owner, known = {"organization_id": erasure.organization_id}, {"user.id": {"$ne": ""}} | _meant(erasure)
        return Portion("zoom_choices", self._database["choices"], ended, owner, known, guards=("decision", "tokens"))

    def _webhooks(self, erasure: Erasure) -> Portion:
        """A webhook may concern several organizations: what it says of this one goes."""
        of_organization = {"organization_id": erasure.organization_id}
        pulled: Document = {"$pull": {"outbox": of_organization, "published": of_organization}}
        concerned = [{f"{name}.organization_id": erasure.organization_id} for name in ("outbox", "published")]
        return Portion("zoom_webhooks", self._database["webhooks"], lambda _: pulled, {}, {"$or": concerned})

    def _clients(self, erasure: Erasure) -> Portion:
        """The client that asked can read the receipt for a while; nothing else can be done with it."""

        def revoked(document: Document) -> Document:
            if document["_id"] != erasure.requested_by:
                return tombstone(document)
            forget_at = self._clock() + RECEIPT_READ_FOR
            return {"$set": {"name": "", "scopes": [READS_RECEIPTS], "forget_at": forget_at}}

        owner = {"organization_id": erasure.organization_id}
        return Portion("api_clients", self._database["clients"], revoked, owner, unmarked(erasure))

    def _organization(self, erasure: Erasure) -> Portion:
        the_one = {"_id": erasure.organization_id}
        return Portion("organizations", self._database["organizations"], tombstone, the_one, unmarked(erasure))


def is_concerned(erasure: Erasure, connection: Document) -> bool:
    """Tell whether a connection's data are to go: what was connected again since is no longer what was meant."""
    if erasure.scope == "organization":
        return True
    is_of_whom = erasure.scope == "zoom_data" or erasure.is_of(connection["email"])
    return is_of_whom and bool(connection["connected_at"] <= erasure.requested_at)


def _meant(erasure: Erasure) -> Document:
    """Return what finds the attempts that are meant: of an organization all, else those from before the request."""
    return {} if erasure.scope == "organization" else {"created_at": {"$lte": erasure.requested_at}}
