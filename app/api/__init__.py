"""HTTP. Law: a route parses, makes one service call, presents."""
