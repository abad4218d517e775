"""Runs `command.main`."""

from pipelines.submit.command import main

if __name__ == "__main__":
    main()
