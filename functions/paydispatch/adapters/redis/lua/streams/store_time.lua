-- Tell the time of the server that has a worker's keys. Its clock numbers the entries of their streams.
-- KEYS: 1 any key of the worker
-- Returns {unix seconds, microseconds}.
return redis.call('TIME')
