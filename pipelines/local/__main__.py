"""Runs `command.main`."""

from pipelines.local.command import main

if __name__ == "__main__":
    main()
