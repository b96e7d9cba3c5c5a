"""What changes: a module a noun. A command takes a session and the moment, and never commits."""
