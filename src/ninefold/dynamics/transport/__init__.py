"""What the cations do: diffusion, conductivity, jumps, and whether anions go with them."""
