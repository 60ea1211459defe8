"""The scan of a Zoom user's list: sweeper of late twins, back-up of webhooks, and audit, all by the same comparison."""
