"""Record: a finished benchmark in MLflow, so that it can be compared with earlier and later ones."""
