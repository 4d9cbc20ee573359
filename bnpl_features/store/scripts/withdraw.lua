-- Takes a feature set's pointer away, in one step: compare, delete, mark, audit, notify.
-- KEYS: active pointer, states, audit stream
-- ARGV: expected active version, actor, reason, events channel
-- Returns {'ok', version} or {'moved', the active version or ''}; times are seconds of the server's clock.
local current = redis.call('GET', KEYS[1]) or ''
if current ~= ARGV[1] then return {'moved', current} end
local time = redis.call('TIME')
local now = string.format('%d.%03d', time[1], time[2] / 1000)
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[2], current, 'retained', current .. ':since', now)
redis.call('XADD', KEYS[3], 'MAXLEN', '~', 100000, '*', 'act', 'withdraw', 'version', current, 'previous', '',
  'actor', ARGV[2], 'reason', ARGV[3], 'at', now)
redis.call('PUBLISH', ARGV[4], current)
return {'ok', current}
