"""What happens to a photograph between its bytes and its answer; nothing here knows HTTP."""
