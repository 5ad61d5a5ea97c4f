"""What users and other programs rely on, written as text so that two trees can be compared."""
