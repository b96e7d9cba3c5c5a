"""Notifications: the worker, the channels that it sends through, and the texts of messages."""
