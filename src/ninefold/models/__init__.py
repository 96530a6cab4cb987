"""Records: what a campaign reads and writes, one pydantic model per kind.

Facts (structures, methods, pools, searches, minima, calculations) are written once, under an id that is the hash of
what they were made from, and are never changed. Views (candidates, funnel) are made from facts, rewritten whole, and
can be made again at any time.
"""
