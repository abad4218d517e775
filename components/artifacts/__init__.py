"""The artifacts that the steps exchange: each is a folder with few files in a documented, versioned format.

Most modules describe one artifact: a dataclass with `load()`, and `save()` for the step that writes it. `names` has
shared constants, `files` and `arrays` read and write files, `metadata` is about Kubeflow.
"""
