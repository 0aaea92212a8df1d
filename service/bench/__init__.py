"""The benchmark: load on a running server, the cost of each stage, and the capacity of a machine."""
