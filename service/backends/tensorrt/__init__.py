"""TensorRT on a GPU, natively: its runtime and the CUDA runtime's calls, no torch."""
