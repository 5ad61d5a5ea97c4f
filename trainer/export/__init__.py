"""Model repositories, as model servers read them."""
