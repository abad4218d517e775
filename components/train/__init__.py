"""Trains one classifier in one of four ways."""

from components.train.memory import keep_freed_memory

keep_freed_memory()
