"""The front door: what API Gateway's and CloudFront's edge do, on one local port, nothing else."""
