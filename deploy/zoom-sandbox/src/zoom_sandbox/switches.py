"""What sources disagree about, or what differs between Zoom accounts: switchable while the sandbox runs."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from zoom_sandbox.limits import Label


class Switches(BaseModel):
    """The defaults are the strict reading of Zoom's documents."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    refresh_grace: bool = False  # a rotated refresh token still works (measured in 2026, undocumented)
    refresh_ends_access_token: bool = False
    pre_approval_required: bool = False
    invalid_client_status: Literal[400, 401] = 401
    scope_refusal_status: Literal[400, 401, 403] = 400
    passcodes: bool = True
    passcode_in_link: bool = True
    rate_limits: bool = True
    rate_limit_code: Literal[429, 4001] = 429
    host_daily_limit: int | None = Field(default=100, ge=0)
    create_meeting_label: Label = Label.LIGHT
    xml_errors: bool = False  # error bodies are XML unless the request accepts JSON
    webhooks_held: bool = False  # keep events back until they are released, in either order
