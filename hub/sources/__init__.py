"""Step 2: what a sender sent becomes an Envelope. One file per sender; pure, no I/O, no asyncio."""
