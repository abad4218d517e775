"""Runs the command: python -m pipelines.submit."""

import sys

from components import process
from pipelines.submit.command import main

if __name__ == "__main__":
    process.prepare()
    sys.exit(main())
