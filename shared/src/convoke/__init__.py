"""Convoke's wire contracts and the plumbing that its services share."""
