"""What outlives the process. Law: the only importer of SQLAlchemy; domain values outward, rows inside."""
