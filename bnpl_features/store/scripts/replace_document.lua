-- Replaces a small document, in one step: compare, set, audit.
-- KEYS: document, audit stream
-- ARGV: the text that it must still have ('' = none), new text, act, actor, reason
-- Returns {'ok'} or {'moved'}.
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return {'moved'} end
local time = redis.call('TIME')
redis.call('SET', KEYS[1], ARGV[2])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', 100000, '*', 'act', ARGV[3], 'version', 0, 'previous', '',
  'actor', ARGV[4], 'reason', ARGV[5], 'at', string.format('%d.%03d', time[1], time[2] / 1000))
return {'ok'}
