"""The HTTP API. Law: a route parses the request, makes one call of a service, and renders the result."""
