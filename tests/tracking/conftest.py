"""The empty history of the tests of record."""

from tests.record.conftest import empty_database

__all__ = ["empty_database"]
