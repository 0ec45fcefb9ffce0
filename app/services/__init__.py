"""The use cases, one file for each: only here it is decided in which order the steps of a request run."""
