"""Loads servers and generators with the same requests, in turns, and says how fast each answered.

The order of reading: `workload` (what is asked), `target` (who is asked) and its three kinds `http_target`,
`in_process_target` and `program_target`, `measurements` (what was seen), `measuring` (who is asked what, when),
`report` (what it comes to), and `table`, `plot` and `live_display` (how it is shown).
"""
