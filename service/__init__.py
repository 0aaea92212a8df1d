"""The service: a bundle behind HTTP, for months, and never with torch."""
