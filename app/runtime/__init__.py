"""Runs the engines: which process or thread does which work, and when. Law: engines are reached only through
this package.
"""
