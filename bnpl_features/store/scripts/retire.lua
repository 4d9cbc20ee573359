-- Marks a version as being removed, so that nothing can activate it any more; never the active one.
-- KEYS: active pointer, states, audit stream
-- ARGV: version, actor, reason, least age of a retained version in seconds, state to mark ('retiring' | 'failed')
-- Returns {'ok', state it had} or {refusal, detail}; times are seconds of the server's clock.
local version = ARGV[1]
if redis.call('GET', KEYS[1]) == version then return {'active', version} end
local state = redis.call('HGET', KEYS[2], version)
if not state then return {'missing', version} end
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local since = tonumber(redis.call('HGET', KEYS[2], version .. ':since') or '0')
if state == 'retained' and now - since < tonumber(ARGV[4]) then return {'grace', string.format('%.0f', now - since)} end
-- Freeing comes first: a full server refuses a script's first write if that takes memory, and then none after it.
redis.call('HDEL', KEYS[2], version)
now = string.format('%.3f', now)
redis.call('HSET', KEYS[2], version, ARGV[5], version .. ':since', now)
redis.call('XADD', KEYS[3], 'MAXLEN', '~', 100000, '*', 'act', ARGV[5] == 'failed' and 'fail' or 'retire', 'version', version, 'previous', state,
  'actor', ARGV[2], 'reason', ARGV[3], 'at', now)
return {'ok', state}
