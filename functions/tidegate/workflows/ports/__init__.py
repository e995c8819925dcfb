"""What the effect nodes call: other domains, SES, customers' accounts, child executions."""
