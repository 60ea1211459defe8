"""What every list can be asked."""

from pydantic import BaseModel, ConfigDict, Field

LARGEST_PAGE = 100


class PageIn(BaseModel):
    """Which page of a list is wanted."""

    model_config = ConfigDict(extra="forbid")
    cursor: str = Field(default="", max_length=100)
    limit: int = Field(default=50, ge=1, le=LARGEST_PAGE)
