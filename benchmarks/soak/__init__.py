"""A station under steady work for long, at many times the speed of time: does it grow?"""
