"""Telling people: the words, the channels, and the worker that sends what is due."""
