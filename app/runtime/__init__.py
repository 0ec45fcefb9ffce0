"""Who runs what, when. Law: engines are reached only through this package."""
