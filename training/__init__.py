"""What teaches and tests the scores: pictures made worse by a known amount."""
