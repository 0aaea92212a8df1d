"""Evaluation: the served pipeline over a labelled data set, judged by the field's own measures."""
