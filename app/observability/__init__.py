"""What an operator sees: a line in the log and a few numbers for every request."""
