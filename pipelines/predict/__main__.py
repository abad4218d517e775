"""Runs `command.main`."""

from pipelines.predict.command import main

if __name__ == "__main__":
    main()
