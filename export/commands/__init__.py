"""The commands of `panoptic-export`, one a file."""
