"""What is written for people: pages that are made, pictures that are taken, commands that are run."""
