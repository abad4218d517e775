"""What passes between the steps: a folder of few files an artifact, its format and its schema version.

Every module but `files` and `names` is one artifact: a dataclass with `load()`, and a `save()` for the step that
makes it.
"""
