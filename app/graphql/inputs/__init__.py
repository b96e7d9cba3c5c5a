"""Arguments and input types: filters, sort orders, and the inputs of mutations."""
