"""A library of speech engines. It knows no HTTP, no database and no settings file."""
