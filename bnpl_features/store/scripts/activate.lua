-- Moves a feature set's pointer to a version, in one step: compare, set, mark, audit, notify.
-- KEYS: active pointer, states, audit stream, erasures, counter
-- ARGV: version, expected active version ('' = none), mode ('publish' | 'rollback'), actor, reason, events channel,
--       feature set, the set of versions that say none
-- Returns {'ok', previous} or {refusal, detail}; times are seconds of the server's clock.
local version, expected, mode = ARGV[1], ARGV[2], ARGV[3]
local current = redis.call('GET', KEYS[1]) or ''
if current ~= expected then return {'moved', current} end
if current == version then return {'already', current} end
local state = redis.call('HGET', KEYS[2], version) or 'missing'
local set = redis.call('HGET', KEYS[2], version .. ':set') or ARGV[8]
if state ~= 'missing' and set ~= ARGV[7] then return {'set', set} end
local wanted = mode == 'rollback' and 'retained' or 'verified'
if state ~= wanted then return {'state', state} end
-- A customer erased after the version was staged must be taken out of it first.
local erasures = redis.call('GET', KEYS[4]) or '0'
if mode == 'publish' and (redis.call('HGET', KEYS[2], version .. ':erasures') or '0') ~= erasures then
  return {'erased', erasures}
end
if mode == 'publish' and current ~= '' and tonumber(version) < tonumber(current) then return {'older', current} end
local time = redis.call('TIME')
local now = string.format('%d.%03d', time[1], time[2] / 1000)
-- Freeing comes first: a full server refuses a script's first write if that takes memory, and then none after it.
redis.call('HDEL', KEYS[2], version)
redis.call('SET', KEYS[1], version)
redis.call('HSET', KEYS[2], version, 'active', version .. ':since', now)
if current ~= '' then redis.call('HSET', KEYS[2], current, 'retained', current .. ':since', now) end
if tonumber(redis.call('GET', KEYS[5]) or '0') < tonumber(version) then redis.call('SET', KEYS[5], version) end
redis.call('XADD', KEYS[3], 'MAXLEN', '~', 100000, '*', 'act', mode == 'rollback' and 'roll back' or 'activate',
  'version', version, 'previous', current, 'actor', ARGV[4], 'reason', ARGV[5], 'at', now)
redis.call('PUBLISH', ARGV[6], version)
return {'ok', current}
