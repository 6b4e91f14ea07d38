"""What people who run Cortex can see of it: metrics, and logs that never quote a prompt."""
