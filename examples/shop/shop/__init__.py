"""A small shop: a FastAPI application, its orders in SQLite, and its renewals."""
