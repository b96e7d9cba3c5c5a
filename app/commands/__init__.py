"""Commands: everything that changes data. Each takes a session and the time, and leaves the commit to its caller."""
