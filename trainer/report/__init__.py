"""What people read of a bundle: the report, one HTML page with pictures, and the card."""
