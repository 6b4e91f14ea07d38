"""Adapters: one package a technology, one file a port."""
