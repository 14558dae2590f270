"""Model-agnostic meta-learning of policies, and its variants."""
