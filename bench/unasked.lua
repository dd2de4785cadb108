-- Requests a page for the first time: the site ignores a parameter that it does not know, but remembers each
-- address for itself. A search gets another word.
local number = 0
local run = os.time()
local searches = wrk.path:find("?")

request = function()
  number = number + 1
  return wrk.format("GET", wrk.path .. (searches and "+" or "?new=") .. run .. "x" .. number)
end
