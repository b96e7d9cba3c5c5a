"""Logs, metrics and traces: one log line, a few metrics and, if tracing is on, a span for each request."""
