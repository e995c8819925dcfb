"""The hazard suite: catalogue, bite proofs and what the doubles can prove."""
