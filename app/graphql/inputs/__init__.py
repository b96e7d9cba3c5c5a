"""What clients write: filters, sorts, and the inputs of mutations."""
