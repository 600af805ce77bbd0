"""Real brokers for tests: see ../README.md."""
