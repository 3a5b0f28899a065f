"""What routers are told -> what they do: routing tables as the control plane computes them, and the engine's arrays."""
