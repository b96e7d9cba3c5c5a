"""Warnings of teams: the rules, which are pure, and the facts that they go by."""
