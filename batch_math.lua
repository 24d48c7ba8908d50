function add(record, bin, n)
  if not aerospike:exists(record) then error('nothing to add to') end
  record[bin] = record[bin] + n
  aerospike:update(record)
  return record[bin]
end
