"""What is sent and how the replies are read: policies to flags, values to ops, and back."""
