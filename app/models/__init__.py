"""Which models exist, and where their bytes are."""
