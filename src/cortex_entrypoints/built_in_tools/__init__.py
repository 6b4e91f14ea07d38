"""The tools that come with Cortex, a module for each setting that switches some on."""
