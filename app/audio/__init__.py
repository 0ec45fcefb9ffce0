"""Sound in and out of its encodings. Law: the only importer of PyAV."""
