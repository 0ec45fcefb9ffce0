"""Who runs what, when. Law: engines are reached only from here."""
