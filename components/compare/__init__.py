"""The fifth step: puts the evaluations side by side and says, with evidence, which regime is worth its cost."""
