"""How the classes of data sets teach a label set, as data."""
