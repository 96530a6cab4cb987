"""What a campaign reads and writes."""
