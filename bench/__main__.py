"""`python -m bench`: every benchmark in turn."""

import asyncio

from bench import records, tokens

if __name__ == "__main__":
    tokens.main()
    asyncio.run(records.main())
