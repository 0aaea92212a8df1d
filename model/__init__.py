"""What Panoptic-DeepLab is and what its outputs mean.

The data half (categories, variants, bundle, fit) imports in a tenth of a second and knows no torch; the network half
(network, grouping, checkpoints, training, parity) does. Nothing in the data half imports the network half.
"""
