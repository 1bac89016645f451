"""`python -m bench`: every benchmark in turn."""

import asyncio

from bench import many_tenants, neighbours, push_rates, records, tokens, traces

if __name__ == "__main__":
    tokens.main()
    traces.main()
    push_rates.main()
    asyncio.run(records.main())
    asyncio.run(neighbours.main())
    asyncio.run(many_tenants.main())
