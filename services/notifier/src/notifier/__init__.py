"""Mails and calendar files for host and invitee."""
