"""The network: backbone, decoders, heads."""
