"""The history of runs in MLflow: where it is, how it is read, and what the runs in it are called.

Only `server` imports MLflow, and only when a history is opened: that takes more than a second.
"""
