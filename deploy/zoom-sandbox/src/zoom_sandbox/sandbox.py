"""Everything the sandbox remembers, and how it begins again."""

from collections.abc import Callable
from datetime import datetime

import httpx

from zoom_sandbox.background import Background
from zoom_sandbox.calls import CallLog
from zoom_sandbox.clock import SandboxClock
from zoom_sandbox.faults import Faults
from zoom_sandbox.grants import Grants
from zoom_sandbox.limits import Limits
from zoom_sandbox.listing import PageTokens
from zoom_sandbox.meetings import Meetings
from zoom_sandbox.settings import Settings
from zoom_sandbox.switches import Switches
from zoom_sandbox.users import User, default_users
from zoom_sandbox.webhooks import ANSWER_WITHIN_SECONDS, Webhooks


class Sandbox:
    """One Zoom, in memory."""

    def __init__(self, settings: Settings, real_time: Callable[[], datetime]) -> None:
        self.settings = settings
        self.clock = SandboxClock(real_time)
        self.background = Background()
        self.http = httpx.AsyncClient(timeout=ANSWER_WITHIN_SECONDS, trust_env=False)
        self.reset()

    def reset(self) -> None:
        """Forget everything, late commits and unsent webhooks included."""
        self.background.end_all()
        self.clock.reset()
        now = self.clock.now
        self.switches = Switches()
        self.users = default_users()
        self.grants = Grants(now)
        self.meetings = Meetings(now)
        self.page_tokens = PageTokens(now)
        self.limits = Limits(now)
        self.faults = Faults()
        self.calls = CallLog(now)
        secret = self.settings.zoom_webhook_secret_token
        self.webhooks = Webhooks(self.clock, self.background, self.http, secret)
        for url in self.settings.zoom_webhook_urls:
            self.webhooks.subscribe(url, None)

    def user_called(self, name: str) -> User | None:
        """Find a user by id or e-mail address, as Zoom's paths allow."""
        by_email = (user for user in self.users.values() if user.email == name)
        return self.users.get(name) or next(by_email, None)

    def stop(self) -> None:
        self.clock.stop()
        self.background.end_all()
