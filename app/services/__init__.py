"""One file per use case: the only place where steps are put in order."""
