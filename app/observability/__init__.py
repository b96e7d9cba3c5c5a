"""Logs and metrics: one log line and a few metrics for each request."""
