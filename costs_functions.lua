
function bump(record, bin, by)
  record[bin] = (record[bin] or 0) + by
  aerospike:update(record)
  return record[bin]
end
function tally(record)
  local sum = 0
  for value in list.iterator(record['u']) do sum = sum + value end
  return sum
end
