"""Runs the command: python -m pipelines.history."""

from components import process
from pipelines.history.command import main

if __name__ == "__main__":
    process.prepare()
    main()
