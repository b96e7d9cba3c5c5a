"""The rules of lead distribution, as pure functions: no SQL, no I/O, and the current time is a parameter."""
