"""The comparison for people: words, tables, plots, HTML. Computes no statistics."""
