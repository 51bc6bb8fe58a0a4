"""What tests of plans are written with: worlds to start from, in the core's own values."""
