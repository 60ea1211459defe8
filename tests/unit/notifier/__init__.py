"""The notifier's decisions and mails, without a server."""
