"""Translate HTTP into the console's questions and commands."""
