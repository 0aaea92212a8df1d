"""Compiled kernels: heads at network stride to codes at the photograph's size."""
