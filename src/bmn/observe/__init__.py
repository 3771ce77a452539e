"""What happened, as one log line and one metric each."""
