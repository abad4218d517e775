"""Runs the command: python -m pipelines.local."""

from components import process
from pipelines.local.command import main

if __name__ == "__main__":
    process.prepare()
    main()
