"""Parity: our network and merging against measurements of the published programs."""
