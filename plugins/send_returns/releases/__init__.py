"""Releases: what was put forward, who signed it, what was published; and the audit of all that happened.

The rules are the database's (`warehouse/migrations/0008_releases.sql`): these modules ask it, and say in words what it
refuses. Each function acts as the role that may, inside a transaction of the connection that it is given.
"""
