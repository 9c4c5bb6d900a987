"""WebSocket load generators side by side: what each costs, and what it says about a stall.

The way of a run: __main__ (command line, rounds) → measure (one run of one tool) → relay, tree
(what is counted, outside the tool) and tool_*.py (how to start a tool and read its report) →
arithmetic → report (JSON and Markdown).
"""
