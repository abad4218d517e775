"""Runs the command: python -m pipelines.predict."""

from components import process
from pipelines.predict.command import main

if __name__ == "__main__":
    process.prepare()
    main()
