-- Writes or lifts a customer's tombstone; the count of such acts tells a publisher whether it has seen all of them.
-- KEYS: erased, erasures, audit stream
-- ARGV: tombstone (key check:digest), act ('erase' | 'readmit'), actor, reason
-- Returns {'ok', acts so far} or {'missing'}.
local time = redis.call('TIME')
local now = string.format('%d.%03d', time[1], time[2] / 1000)
if ARGV[2] == 'readmit' then
  if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then return {'missing'} end
else
  redis.call('HSET', KEYS[1], ARGV[1], cjson.encode({at = now, actor = ARGV[3], reason = ARGV[4]}))
end
redis.call('XADD', KEYS[3], 'MAXLEN', '~', 100000, '*', 'act', ARGV[2], 'version', 0, 'previous', ARGV[1],
  'actor', ARGV[3], 'reason', ARGV[4], 'at', now)
return {'ok', redis.call('INCR', KEYS[2])}
