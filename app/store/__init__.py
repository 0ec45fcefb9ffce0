"""Everything that is stored in the database. Law: only this package imports SQLAlchemy; it takes and returns
domain values, and its rows stay inside.
"""
