"""send-returns: one record per child with SEND, and the returns that the local area partnership publishes from it."""
