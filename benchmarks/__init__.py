"""The project's own speed and memory, measured."""
