/**
 * One script an operation, so that nothing can come between its reading and its writing. All keys of a script share a
 * slot. A launch's own key is built inside a script only from the prefix of that slot.
 *
 * A session record that is the empty string is a tombstone: the session has ended and is not to be created again.
 * PTTL answers -2 for a missing key and -1 for one without an expiry, so `PTTL < life` always gives a bounded life.
 *
 * What ends or changes a record tells it to all replicas before anybody can read it. A PUBLISH that is not permitted
 * must not turn an end into a fault: without it the link is not alive either, and nothing is kept in memory.
 */

/**
 * KEYS: bindings. ARGV: own value, the one that gives way or '', life. What is bound otherwise stays: a caller who has not
 * seen yet that a session is over must not put it in the place of the one that follows.
 */
const joinBindings = `
local chosen = ARGV[1]
local bound = redis.call('MGET', unpack(KEYS))
for _, value in ipairs(bound) do
  if value and value ~= ARGV[2] then
    chosen = value
    break
  end
end
for index, key in ipairs(KEYS) do
  if not bound[index] or bound[index] == ARGV[2] then
    redis.call('SET', key, chosen, 'PX', ARGV[3])
  end
end
return chosen
`

/** KEYS: session, its launches. ARGV: held, blob, life. Never shorter than the launches that hang on it. */
const replaceSession = `
if ARGV[1] == '' or redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
local life = math.max(tonumber(ARGV[3]), redis.call('PTTL', KEYS[2]))
redis.call('SET', KEYS[1], ARGV[2], 'PX', life)
return 1
`

/** KEYS: session, its launches, launch. ARGV: now, idleAt, held, blob, life. Answers touched, gone or session changed. */
const touch = `
local session = redis.call('GET', KEYS[1])
local held = redis.call('HMGET', KEYS[3], 'idleAt', 'ended')
local idleAt = tonumber(held[1] or '')
if not session or session == '' or not idleAt or held[2] ~= '' or idleAt <= tonumber(ARGV[1]) then
  return 0
end
if session ~= ARGV[3] then
  return 2
end
if idleAt < tonumber(ARGV[2]) then
  redis.call('HSET', KEYS[3], 'idleAt', ARGV[2])
end
local life = math.max(tonumber(ARGV[5]), redis.call('PTTL', KEYS[2]))
redis.call('SET', KEYS[1], ARGV[4], 'PX', life)
return 1
`

/**
 * KEYS: session, its launches, launch. ARGV: launch prefix, id, sealed, idleAt, life. Answers created, no session or
 * known already.
 */
const createLaunch = `
local session = redis.call('GET', KEYS[1])
if not session or session == '' then
  return 0
end
if redis.call('EXISTS', KEYS[3]) == 1 then
  return 2
end
for _, id in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  if redis.call('EXISTS', ARGV[1] .. id) == 0 then
    redis.call('SREM', KEYS[2], id)
  end
end
redis.call('HSET', KEYS[3], 'sealed', ARGV[3], 'version', 1, 'idleAt', ARGV[4], 'ended', '')
redis.call('PEXPIRE', KEYS[3], ARGV[5])
redis.call('SADD', KEYS[2], ARGV[2])
for index = 1, 2 do
  if redis.call('PTTL', KEYS[index]) < tonumber(ARGV[5]) then
    redis.call('PEXPIRE', KEYS[index], ARGV[5])
  end
end
return 1
`

/**
 * KEYS: launch, perhaps the lease. ARGV: expected version, sealed, channel, message, perhaps the lease's holder.
 */
const replaceLaunch = `
local held = redis.call('HMGET', KEYS[1], 'version', 'ended')
if held[1] ~= ARGV[1] or held[2] ~= '' then
  return 0
end
if KEYS[2] and redis.call('GET', KEYS[2]) ~= ARGV[5] then
  return 0
end
redis.call('HSET', KEYS[1], 'sealed', ARGV[2])
redis.call('HINCRBY', KEYS[1], 'version', 1)
redis.pcall('PUBLISH', ARGV[3], ARGV[4])
return 1
`

/**
 * KEYS: launches of the session, launch. ARGV: id, final state, channel, message, note, how long one that is not there
 * stays away, or 0. The tombstone keeps the record's life, and until the end has been told what it held.
 */
const endLaunch = `
redis.call('SREM', KEYS[1], ARGV[1])
local held = redis.call('HMGET', KEYS[2], 'sealed', 'version', 'idleAt', 'ended')
if not held[2] and ARGV[6] ~= '0' then
  redis.call('HSET', KEYS[2], 'sealed', '', 'version', 1, 'idleAt', 0, 'ended', ARGV[2])
  redis.call('PEXPIRE', KEYS[2], ARGV[6])
end
if not held[2] or held[4] ~= '' then
  return false
end
redis.call('HSET', KEYS[2], 'sealed', '', 'ended', ARGV[2], 'untold', held[1], 'note', ARGV[5])
redis.call('HINCRBY', KEYS[2], 'version', 1)
redis.pcall('PUBLISH', ARGV[3], ARGV[4])
return held
`

/**
 * KEYS: session, its launches, its end. ARGV: launch prefix, final state, life of the tombstone, channel, message, note.
 * What is to be told of the session stands for as long as the session would have.
 */
const endSession = `
local ended = {}
local session = redis.call('GET', KEYS[1])
local life = math.max(redis.call('PTTL', KEYS[1]), tonumber(ARGV[3]))
for _, id in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  local key = ARGV[1] .. id
  local held = redis.call('HMGET', key, 'sealed', 'version', 'idleAt', 'ended')
  if held[2] and held[4] == '' then
    redis.call('HSET', key, 'sealed', '', 'ended', ARGV[2], 'untold', held[1], 'note', ARGV[6])
    redis.call('HINCRBY', key, 'version', 1)
    ended[#ended + 1] = { id, held[1], held[2], held[3], held[4] }
  end
end
if session and session ~= '' then
  redis.call('HSET', KEYS[3], 'ended', ARGV[2], 'note', ARGV[6], 'launches', #ended)
  redis.call('PEXPIRE', KEYS[3], life)
end
redis.call('DEL', KEYS[2])
redis.call('SET', KEYS[1], '', 'PX', ARGV[3])
redis.pcall('PUBLISH', ARGV[4], ARGV[5])
return ended
`

/** KEYS: launch. A record that is gone is not made again. */
const settleEnd = `
if (redis.call('HGET', KEYS[1], 'untold') or '') ~= '' then
  redis.call('HSET', KEYS[1], 'untold', '', 'note', '')
end
return 1
`

/** KEYS: lease or text. ARGV: what it must be still. */
const deleteHeld = `
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
end
return 1
`

/** KEYS: lease. ARGV: holder, life. */
const renewLease = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`

/** KEYS: deadlines. ARGV: now, until when hidden, limit. */
const claimDue = `
local found = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[3])
for _, member in ipairs(found) do
  redis.call('ZADD', KEYS[1], ARGV[2], member)
end
return found
`

/** KEYS: deadlines. ARGV: member, until when it was hidden, next deadline or ''. */
const settleDue = `
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not score or tonumber(score) ~= tonumber(ARGV[2]) then
  return 0
end
if ARGV[3] == '' then
  return redis.call('ZREM', KEYS[1], ARGV[1])
end
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
return 1
`

/** KEYS: index. ARGV: member, until, now, life. What is over is trimmed, so the index is bounded by what lives. */
const addToIndex = `
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[3])
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[4]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
return 1
`

/** KEYS: draft. ARGV: what is held, or '' for none; the new one; life. */
const replaceDraft = `
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
`

/** KEYS: counter. ARGV: window. */
const countUp = `
local count = redis.call('INCR', KEYS[1])
if redis.call('PTTL', KEYS[1]) < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return { count, redis.call('PTTL', KEYS[1]) }
`

/** KEYS: counters. ARGV: life, then field and number by turns. */
const addToMatrix = `
for index = 2, #ARGV, 2 do
  redis.call('HINCRBY', KEYS[1], ARGV[index], ARGV[index + 1])
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
`

/**
 * KEYS: checkpoints. ARGV: instance, note, most fields. A note whose second line, the number of records, is higher stays
 * beside the new one: it proves what is missing now.
 */
const keepCheckpoint = `
local held = redis.call('HGET', KEYS[1], ARGV[1])
local before = held and tonumber(string.match(held, '^[^\\n]*\\n(%d+)\\n') or '0') or 0
local count = tonumber(string.match(ARGV[2], '^[^\\n]*\\n(%d+)\\n') or '0')
if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) and (not held or before > count) then
  return 0
end
if before > count then
  redis.call('HSET', KEYS[1], ARGV[1] .. '#' .. before, held)
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
`

/**
 * KEYS: stream. ARGV: most lines, then each batch and how many lines it has. An entry is one line where nobody works and a
 * hundred under load, so each says how many were added up to it: the oldest goes when those behind it are enough. One
 * that says nothing of the kind is not ours.
 */
const addAuditBatches = `
local most = tonumber(ARGV[1])
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local before = last and tonumber(last[2][4]) or 0
local upTo = before
for index = 2, #ARGV, 2 do
  upTo = upTo + tonumber(ARGV[index + 1])
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', most, '*', 'lines', ARGV[index], 'upTo', upTo)
end
for _ = 1, upTo - before + 100 do
  local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
  local behind = upTo - (tonumber(first[2][4]) or 0)
  if behind >= 0 and behind < most then break end
  redis.call('XDEL', KEYS[1], first[1])
end
return upTo - before
`

/** In the form that ioredis takes; without `numberOfKeys` the caller says how many. */
export const scripts = {
  bffJoinBindings: { lua: joinBindings },
  bffCreateLaunch: { lua: createLaunch, numberOfKeys: 3 },
  bffReplaceSession: { lua: replaceSession, numberOfKeys: 2 },
  bffTouch: { lua: touch, numberOfKeys: 3 },
  bffReplaceLaunch: { lua: replaceLaunch },
  bffEndLaunch: { lua: endLaunch, numberOfKeys: 2 },
  bffEndSession: { lua: endSession, numberOfKeys: 3 },
  bffSettleEnd: { lua: settleEnd, numberOfKeys: 1 },
  bffDeleteHeld: { lua: deleteHeld, numberOfKeys: 1 },
  bffRenewLease: { lua: renewLease, numberOfKeys: 1 },
  bffClaimDue: { lua: claimDue, numberOfKeys: 1 },
  bffSettleDue: { lua: settleDue, numberOfKeys: 1 },
  bffReplaceDraft: { lua: replaceDraft, numberOfKeys: 1 },
  bffCountUp: { lua: countUp, numberOfKeys: 1 },
  bffAddToIndex: { lua: addToIndex, numberOfKeys: 1 },
  bffAddToMatrix: { lua: addToMatrix, numberOfKeys: 1 },
  bffKeepCheckpoint: { lua: keepCheckpoint, numberOfKeys: 1 },
  bffAddAuditBatches: { lua: addAuditBatches, numberOfKeys: 1 },
} as const

type Script = (...args: (string | number | Buffer)[]) => Promise<unknown>

/** What ioredis makes of `scripts`: a method each, and a second one whose answers are bytes. */
export type ScriptRunner = {
  readonly [name in keyof typeof scripts | `${keyof typeof scripts}Buffer`]: Script
}
