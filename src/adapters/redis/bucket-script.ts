// What Redis runs for token buckets, in one piece: the same sums as foundation/token-bucket, in whole numbers below 2⁵³, by
// the server's own time, so that all processes that share a bucket agree to the token. Separate because it is another language.
// A value is "debt:microseconds"; it goes by itself when the debt is paid, for a full bucket is like none.

/**
 * KEYS: buckets, of one server. ARGV: "1" to take, "0" to look, then for each bucket tokens a minute, units of a token, units
 * of a full bucket. Answers for each bucket 1 or 0 (whether a token is there) and the debt after. Takes of all or of none.
 */
export const bucketScript = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local debts, moments, fits, all = {}, {}, {}, true
for i = 1, #KEYS do
  local rate, units, capacity = tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1])
  local debt, moment = 0, now
  local value = redis.call('GET', KEYS[i])
  if value then
    local d, m = string.match(value, '^(%d+):(%d+)$')
    if d then
      debt = tonumber(d)
      local elapsed = now - tonumber(m)
      if elapsed > 0 then
        debt = math.max(0, debt - elapsed * rate)
      else
        moment = tonumber(m)
      end
    end
  end
  debts[i], moments[i], fits[i] = debt, moment, debt + units <= capacity
  all = all and fits[i]
end
local answer = {}
for i = 1, #KEYS do
  if all and ARGV[1] == '1' then
    local rate, units = tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
    debts[i] = debts[i] + units
    local wait = math.ceil((debts[i] / rate + moments[i] - now) / 1000) + 1
    redis.call('SET', KEYS[i], string.format('%.0f:%.0f', debts[i], moments[i]), 'PX', string.format('%.0f', wait))
  end
  answer[2 * i - 1] = fits[i] and 1 or 0
  answer[2 * i] = debts[i]
end
return answer
`;
