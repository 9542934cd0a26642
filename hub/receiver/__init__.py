"""Steps 1 and 2: HTTP in. Verifies raw bytes before anything reads them; knows no handler.

`server` tells the way of a request and uses the rest: `doors` and their `keys`, `headers` and
`body` within the `limits`, `signatures`, `aside` for what is too large for the event loop,
`answers` and `refusals`. `listener` and `connection` are the port; `admin` is the other port.
"""
