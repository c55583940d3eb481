-- wrk -s wrk.lua URL -- METHOD FILE BODYBYTES PAUSEMS: requests of the targets in FILE, each formatted once, so
-- that the client costs wrk's own loop only. Each connection pauses so long before each of its requests.
local requests, at, count = {}, 0, 0
local pause = 0
function init(args)
  local body = nil
  local bytes = tonumber(args[3] or "0")
  pause = tonumber(args[4] or "0")
  if pause > 0 then
    delay = function()
      return pause
    end
  end
  local headers = { ["Host"] = wrk.headers["Host"] }
  if bytes > 0 then
    body = string.rep("x", bytes)
    headers["Content-Type"] = "application/octet-stream"
  end
  for line in io.lines(args[2]) do
    count = count + 1
    requests[count] = wrk.format(args[1], line, headers, body)
  end
  at = math.random(count)
end
function request()
  at = at % count + 1
  return requests[at]
end
function done(summary, latency)
  io.write(string.format('{"requests":%d,"seconds":%.6f,"p50Ms":%.3f,"p99Ms":%.3f,"bad":%d,"socketErrors":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
