"""What a good Python programmer would write: each line polled at its pace over connections that stay
open, readings written in batches and durably, a threshold looked at.

service.py URL DATABASE LINES SECONDS
"""

import asyncio
import sqlite3
import sys
import time

import aiohttp
from apscheduler.schedulers.asyncio import AsyncIOScheduler

URL, DATABASE, LINES, EVERY = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
SLICES = 10  # a second's polls start in ten bunches


def open_database():
    db = sqlite3.connect(DATABASE, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute(
        "CREATE TABLE readings (line INTEGER, at REAL, balance INTEGER, currency TEXT, ends_at TEXT, data_mb INTEGER)"
    )
    db.execute("CREATE TABLE lines (id INTEGER PRIMARY KEY, balance INTEGER, read_at REAL, low INTEGER)")
    return db


async def main():
    db = open_database()
    slots = asyncio.Semaphore(64)
    written = []

    async def poll(http, n):
        async with slots:
            try:
                async with http.get(f"{URL}+1202{n + 2_000_000:07}") as answer:
                    found = await answer.json()
            except (aiohttp.ClientError, asyncio.TimeoutError, ValueError):
                return
        balance = round(float(found["balance"]["amount"]) * 100)
        written.append(
            (n, time.time(), balance, found["balance"]["currency"], found["expires_at"], found["data"]["left_mb"])
        )

    def write():
        rows, written[:] = written[:], []
        if rows:
            db.execute("BEGIN IMMEDIATE")
            db.executemany("INSERT INTO readings VALUES (?, ?, ?, ?, ?, ?)", rows)
            db.executemany(
                "INSERT INTO lines VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
                " balance = excluded.balance, read_at = excluded.read_at, low = excluded.low",
                [(row[0], row[2], row[1], row[2] <= 500) for row in rows],
            )
            db.execute("COMMIT")

    connector = aiohttp.TCPConnector(limit=64)
    headers = {"Authorization": "Bearer s3cret"}
    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(connector=connector, headers=headers, timeout=timeout) as http:
        bunches = EVERY * SLICES
        state = {"turn": 0}

        async def tick():
            turn, state["turn"] = state["turn"], (state["turn"] + 1) % bunches
            await asyncio.gather(*(poll(http, n) for n in range(turn, LINES, bunches)))

        scheduler = AsyncIOScheduler()
        scheduler.add_job(tick, "interval", seconds=1 / SLICES, max_instances=SLICES, coalesce=False)
        scheduler.add_job(write, "interval", seconds=0.5)
        scheduler.start()
        await asyncio.Event().wait()


asyncio.run(main())
