-- The module that node_client.js registers.
function plus(record, bin, number)
  return record[bin] + number
end
