"""The search for weights, judged on what was held out."""
