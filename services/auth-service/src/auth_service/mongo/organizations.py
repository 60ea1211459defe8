"""What organizations have decided about Zoom; they are made with their clients, by commands."""

from auth_service.domain.organizations import Organization, OrganizationUnknown
from convoke.mongo import Database, Document, find_surely


class Organizations:
    """The same documents as those of `clients`, looked at for connecting Zoom."""

    def __init__(self, database: Database) -> None:
        self._collection = database["organizations"]

    async def find(self, organization_id: str) -> Organization:
        """Return an organization. Raises OrganizationUnknown."""
        document = await find_surely(self._collection, {"_id": organization_id, "is_erased": None})
        if document is None:
            raise OrganizationUnknown(organization_id)
        return Organization(
            id=document["_id"],
            name=document["name"],
            zoom_off_because=document.get("zoom_off_because"),
            return_addresses=tuple(document.get("return_addresses", ())),
        )

    async def switch_zoom_off(self, organization_id: str, reason: str) -> None:
        """Let nobody connect Zoom any more; what is connected stays so. Raises OrganizationUnknown."""
        await self._change(organization_id, {"$set": {"zoom_off_because": reason}})

    async def switch_zoom_on(self, organization_id: str) -> None:
        """Let owners connect Zoom again. Raises OrganizationUnknown."""
        await self._change(organization_id, {"$unset": {"zoom_off_because": ""}})

    async def allow_return(self, organization_id: str, address: str) -> None:
        """Let owners be sent back to an address and all below it. Raises OrganizationUnknown."""
        await self._change(organization_id, {"$addToSet": {"return_addresses": address}})

    async def forbid_return(self, organization_id: str, address: str) -> None:
        """Take an address off again. Raises OrganizationUnknown."""
        await self._change(organization_id, {"$pull": {"return_addresses": address}})

    async def _change(self, organization_id: str, change: Document) -> None:
        outcome = await self._collection.update_one({"_id": organization_id, "is_erased": None}, change)
        if not outcome.matched_count:
            raise OrganizationUnknown(organization_id)
