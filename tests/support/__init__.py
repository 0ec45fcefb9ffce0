"""Makers of sound, real servers, and engines that stand in where engines are not under test."""
