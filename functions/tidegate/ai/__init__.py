"""AI: language models behind one interface, under budgets."""
