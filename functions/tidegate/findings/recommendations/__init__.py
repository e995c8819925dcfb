"""What AWS itself recommends, beside our own findings. Read only, never in place of ours."""
