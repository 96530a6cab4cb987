"""Reading structure files: each format by a module that knows what its numbers mean, or refuses them.

`ninefold.structures.files.read_structure` is the way in.
"""
