--[[
Open loop: request k is due at start + k/rate whatever the answers do, and its latency runs from that moment, so a stall
is felt by every request that was due in it (no coordinated omission). A due request takes any free connection; with none
free it waits, and the wait counts.

Usage: luajit open-loop.lua PORT RATE CONNECTIONS DURATION_S ORIGIN_PORT. Prints one RESULT line.
The origin of these requests (`/due`) is in the same loop: with a process of its own, the two would wait for each other on a
machine of two cores, and that wait would be measured. The loop spins, because a process that sleeps is late by its waking up,
and between any two answers it looks whether a request is due. `lateP99Us` says how long after its moment the generator saw
that one was due, with or without a connection free for it: its part of the latency, the same for every contender.

In LuaJIT and not in JavaScript, since a loop of Node that is client and origin at once is nearly full at this rate and was
late by more than what was to be measured. Nothing is allocated in the loop, and nothing is collected while it runs.
]]
local ffi = require 'ffi'
local bit = require 'bit'
local C = ffi.C

ffi.cdef(([[
struct address { uint16_t family; uint16_t port; uint8_t host[4]; uint8_t zero[8]; };
struct event { uint32_t events; uint64_t fd; } %s;
struct moment { long seconds; long nanoseconds; };
int socket(int domain, int type, int protocol);
int setsockopt(int fd, int level, int name, const int *value, uint32_t length);
int bind(int fd, const struct address *address, uint32_t length);
int listen(int fd, int backlog);
int connect(int fd, const struct address *address, uint32_t length);
int accept4(int fd, void *address, void *length, int flags);
ssize_t recv(int fd, void *buffer, size_t length, int flags);
ssize_t send(int fd, const char *buffer, size_t length, int flags);
int close(int fd);
int epoll_create1(int flags);
int epoll_ctl(int poll, int operation, int fd, struct event *event);
int epoll_wait(int poll, struct event *events, int count, int timeout);
int clock_gettime(int clock, struct moment *moment);
char *strerror(int number);
]]):format(ffi.arch == 'x64' and '__attribute__((packed))' or '')) -- the kernel packs it there and nowhere else

local AF_INET, SOCK_STREAM, IPPROTO_TCP, TCP_NODELAY, SOL_SOCKET, SO_REUSEADDR = 2, 1, 6, 1, 1, 2
local SOCK_NONBLOCK, MSG_DONTWAIT, MSG_NOSIGNAL = 0x800, 0x40, 0x4000
local EPOLL_CTL_ADD, EPOLLIN, CLOCK_MONOTONIC, EAGAIN = 1, 1, 1, 11
local NEWLINE, TWO, LETTER_D = 0x0a, 0x32, 0x64

local WARM_UP_US = 500000 -- its latencies are not counted: connections are new, code is cold
local GIVE_UP_US = 5000000
local BUCKETS = 200000 -- latencies are exact to 1 us up to 200 ms; of the rest the maximum is kept
local FDS_MAX = 65536
local EVENTS_MAX = 16 -- taken at once: what has arrived waits for at most so many others

local request = 'GET /due HTTP/1.1\r\nHost: localhost\r\n\r\n'
local reply = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nhello, world\n'
local port, rate, connections = tonumber(arg[1]), tonumber(arg[2]), tonumber(arg[3])
local durationUs, originPort = tonumber(arg[4]) * 1e6, tonumber(arg[5])
local periodUs = 1e6 / rate

local function fail(what)
  io.stderr:write(what, ': ', ffi.string(C.strerror(ffi.errno())), '\n')
  os.exit(1)
end

local function orFail(what, result)
  if result < 0 then fail(what) end
  return result
end

local moment = ffi.new('struct moment')
local function nowUs()
  C.clock_gettime(CLOCK_MONOTONIC, moment)
  return tonumber(moment.seconds) * 1e6 + tonumber(moment.nanoseconds) / 1e3
end

local function newValues()
  return { counts = ffi.new('uint32_t[?]', BUCKETS + 1), total = 0, maxUs = 0 }
end

local function record(values, us)
  local bucket = us >= BUCKETS and BUCKETS or us < 0 and 0 or math.floor(us + 0.5)
  values.counts[bucket] = values.counts[bucket] + 1
  values.total = values.total + 1
  if us > values.maxUs then values.maxUs = us end
end

local function quantile(values, share)
  local wanted, seen = math.max(1, math.ceil(share * values.total)), 0
  for bucket = 0, BUCKETS - 1 do
    seen = seen + values.counts[bucket]
    if seen >= wanted then return bucket end
  end
  return math.floor(values.maxUs + 0.5)
end

local function addressOf(number)
  local address = ffi.new('struct address')
  address.family = AF_INET
  address.port = bit.bor(bit.lshift(bit.band(number, 0xff), 8), bit.rshift(number, 8))
  address.host[0], address.host[3] = 127, 1
  return address
end

local one = ffi.new('int[1]', 1)
local poll = orFail('epoll_create1', C.epoll_create1(0))
local interest = ffi.new('struct event')
local function watch(fd)
  if fd >= FDS_MAX then error('more descriptors than there is room for: ' .. fd) end
  interest.events, interest.fd = EPOLLIN, fd
  orFail('epoll_ctl', C.epoll_ctl(poll, EPOLL_CTL_ADD, fd, interest))
end

-- By descriptor: what it is, when its request was due, whether an answer has begun, and the last byte of that.
local CLOSED, CLIENT, ORIGIN = 0, 1, 2
local kind = ffi.new('uint8_t[?]', FDS_MAX)
local dueUs = ffi.new('double[?]', FDS_MAX)
local begun = ffi.new('uint8_t[?]', FDS_MAX)
local last = ffi.new('uint8_t[?]', FDS_MAX)
-- A stack: the rate decides how many connections are in use, the rest stay cold.
local free, freeCount = ffi.new('int[?]', FDS_MAX), 0

local latencies, lateness = newValues(), newValues()
local errors, noticed, sent, answered, startUs, countFromUs = 0, 0, 0, 0, 0, 0

local function drop(fd)
  if kind[fd] == CLIENT then errors = errors + 1 end -- whether or not a request was under way: nobody was asked to close
  kind[fd] = CLOSED
  C.close(fd)
end

local buffer = ffi.new('uint8_t[?]', 16384)

local function onAnswer(fd, bytes)
  -- Only the status and the end are looked at: lines of a head end in CR LF, so `d` LF is the end of the body and of nothing else.
  if begun[fd] == 0 and buffer[9] ~= TWO then errors = errors + 1 end -- `HTTP/1.1 2`
  local before = bytes > 1 and buffer[bytes - 2] or last[fd]
  last[fd] = buffer[bytes - 1]
  begun[fd] = (last[fd] == NEWLINE and before == LETTER_D) and 0 or 1
  if begun[fd] == 1 then return end
  if dueUs[fd] >= countFromUs then record(latencies, nowUs() - dueUs[fd]) end
  answered = answered + 1
  free[freeCount] = fd
  freeCount = freeCount + 1
end

local function onReadable(fd)
  local bytes = tonumber(C.recv(fd, buffer, 16384, MSG_DONTWAIT))
  if bytes <= 0 then
    if bytes == 0 or ffi.errno() ~= EAGAIN then drop(fd) end
  elseif kind[fd] == CLIENT then
    onAnswer(fd, bytes)
  -- One request at a time on a connection: it has ended when its empty line has come.
  elseif buffer[bytes - 1] == NEWLINE and (bytes < 4 or buffer[bytes - 3] == NEWLINE) then
    if C.send(fd, reply, #reply, MSG_NOSIGNAL) ~= #reply then drop(fd) end
  end
end

local function sendDue(endUs)
  local atUs = nowUs()
  local due = startUs + noticed * periodUs
  while due <= atUs and due < endUs do
    if due >= countFromUs then record(lateness, atUs - due) end
    noticed = noticed + 1
    due = startUs + noticed * periodUs
  end
  while sent < noticed and freeCount > 0 do
    freeCount = freeCount - 1
    local fd = free[freeCount]
    if kind[fd] == CLIENT then
      dueUs[fd] = startUs + sent * periodUs
      sent = sent + 1
      if C.send(fd, request, #request, MSG_NOSIGNAL) ~= #request then drop(fd) end
    end
  end
end

local listener = orFail('socket', C.socket(AF_INET, SOCK_STREAM + SOCK_NONBLOCK, 0))
C.setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, one, 4)
orFail('bind', C.bind(listener, addressOf(originPort), 16))
orFail('listen', C.listen(listener, 4096))
watch(listener)
for _ = 1, connections do
  local fd = orFail('socket', C.socket(AF_INET, SOCK_STREAM, 0))
  orFail('connect', C.connect(fd, addressOf(port), 16))
  C.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, one, 4)
  kind[fd] = CLIENT
  watch(fd)
  free[freeCount] = fd
  freeCount = freeCount + 1
end

local function accept()
  local fd = C.accept4(listener, nil, nil, SOCK_NONBLOCK)
  if fd < 0 then return end -- the proxy has given up
  C.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, one, 4)
  kind[fd] = ORIGIN
  watch(fd)
end

collectgarbage()
collectgarbage('stop')
startUs = nowUs()
countFromUs = startUs + WARM_UP_US
local endUs = countFromUs + durationUs
local events = ffi.new('struct event[?]', EVENTS_MAX)
repeat
  sendDue(endUs)
  for at = 0, C.epoll_wait(poll, events, EVENTS_MAX, 0) - 1 do
    local fd = tonumber(events[at].fd)
    if fd == listener then accept() else onReadable(fd) end
    sendDue(endUs)
  end
  local overdueUs = nowUs() - endUs
until overdueUs >= 0 and (answered >= sent or overdueUs > GIVE_UP_US)

print(('RESULT {"requests":%d,"durationS":%g,"p50Us":%d,"p99Us":%d,"lateP99Us":%d,"errors":%d}'):format(
  answered, (WARM_UP_US + durationUs) / 1e6, quantile(latencies, 0.5), quantile(latencies, 0.99), quantile(lateness, 0.99),
  errors + sent - answered))
