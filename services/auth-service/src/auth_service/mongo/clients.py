"""Organizations and clients."""

from collections.abc import Sequence

from auth_service.domain.clients import Client, hash_of, new_secret
from auth_service.domain.organizations import OrganizationUnknown
from auth_service.settings import ServiceClient
from convoke.clock import Clock, utc_now
from convoke.ids import new_id
from convoke.mongo import Database, Document


class ClientUnknown(Exception):
    """No client has this id."""


class Clients:
    """Who may ask for tokens. Made by commands and from settings, never over HTTP."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._organizations = database["organizations"]
        self._clients = database["clients"]
        self._clock = clock

    async def create_indexes(self) -> None:
        await self._clients.create_index([("organization_id", 1), ("_id", 1)], name="organization")

    async def create_organization(self, name: str) -> str:
        """Return the new organization's id."""
        document = {"_id": new_id("org"), "name": name, "created_at": self._clock()}
        await self._organizations.insert_one(document)
        return str(document["_id"])

    async def organizations(self) -> list[tuple[str, str]]:
        """Return id and name of each, oldest first."""
        documents = (
            await self._organizations.find({"is_erased": None}).sort([("created_at", 1), ("_id", 1)]).to_list(None)
        )
        return [(document["_id"], document["name"]) for document in documents]

    async def create(self, organization_id: str, name: str, scopes: tuple[str, ...]) -> tuple[Client, str]:
        """Return a new API client and its secret, which nobody can tell again. Raises OrganizationUnknown."""
        if await self._organizations.find_one({"_id": organization_id, "is_erased": None}) is None:
            raise OrganizationUnknown(organization_id)
        secret = new_secret()
        document = {
            "_id": new_id("client"),
            "organization_id": organization_id,
            "name": name,
            "scopes": list(scopes),
            "secret_hash": hash_of(secret),
            "created_at": self._clock(),
            "revoked_at": None,
        }
        await self._clients.insert_one(document)
        return _client(document), secret

    async def seed(self, services: Sequence[ServiceClient]) -> None:
        """Make each service's identity what the settings say, whatever it was."""
        for service in services:
            identity = {
                "organization_id": None,
                "name": service.client_id,
                "scopes": list(service.scopes),
                "secret_hash": hash_of(service.client_secret.get_secret_value()),
                "revoked_at": None,
            }
            await self._clients.update_one(
                {"_id": service.client_id},
                {"$set": identity, "$setOnInsert": {"created_at": self._clock()}},
                upsert=True,
            )

    async def find(self, client_id: str) -> Client | None:
        document = await self._clients.find_one({"_id": client_id, "is_erased": None})
        return _client(document) if document else None

    async def all(self) -> list[Client]:
        documents = (
            await self._clients.find({"is_erased": None}).sort([("organization_id", 1), ("_id", 1)]).to_list(None)
        )
        return [_client(document) for document in documents]

    async def revoke(self, client_id: str) -> None:
        """Give the client no more tokens; those it has end within minutes. Raises ClientUnknown."""
        outcome = await self._clients.update_one({"_id": client_id}, {"$set": {"revoked_at": self._clock()}})
        if not outcome.matched_count:
            raise ClientUnknown(client_id)


def _client(document: Document) -> Client:
    return Client(
        id=document["_id"],
        name=document["name"],
        organization_id=document["organization_id"],
        scopes=tuple(document["scopes"]),
        secret_hash=document["secret_hash"],
        is_revoked=document["revoked_at"] is not None,
    )
