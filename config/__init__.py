"""Settings: what they are, what they mean and their defaults."""
