// What an application does through the official Node.js client, step by step.
//
//     NODE_PATH=.../node_modules node node_client.js PORT MODULE.lua
//
// prints one JSON object: the name of each step, and what the client answered or how it failed.

const Aerospike = require('aerospike')
const { batchType, bitwise, exp, filter, hll, lists, maps, operations } = Aerospike

const [port, luaModule] = process.argv.slice(2)
const key = (name) => new Aerospike.Key('test', 'people', name)

const steps = {
  async put_get (client) {
    await client.put(key('ada'), {
      born: 1815, name: 'Ada', ratio: new Aerospike.Double(0.5), raw: Buffer.from('raw'),
      langs: ['en', 'fr'], notes: { c: 1, a: 2 }, known: true
    })
    const record = await client.get(key('ada'))
    const { raw, ...bins } = record.bins
    return { ...bins, raw: raw.toString(), generation: record.gen }
  },
  async exists (client) {
    return [await client.exists(key('ada')), await client.exists(key('nobody'))]
  },
  async select (client) {
    return (await client.select(key('ada'), ['name'])).bins
  },
  async operate (client) {
    const record = await client.operate(key('ada'), [
      operations.incr('born', 1), operations.append('name', ' Lovelace'),
      operations.read('born'), operations.read('name')
    ])
    return record.bins
  },
  async collections (client) {
    const record = await client.operate(key('ada'), [
      lists.append('langs', 'de'), maps.put('notes', 'b', 3),
      lists.getByIndex('langs', -1).andReturn(lists.returnType.VALUE)
    ])
    return [record.bins.langs, (await client.get(key('ada'))).bins.notes]
  },
  async bits (client) {
    const record = await client.operate(key('ada'), [
      bitwise.set('raw', 0, 8, Buffer.from('R')), bitwise.get('raw', 0, 16)
    ])
    return record.bins.raw.toString()
  },
  async hyperloglog (client) {
    return (await client.operate(key('ada'), [
      hll.add('seen', ['a', 'b', 'c', 'a'], 12), hll.getCount('seen')
    ])).bins
  },
  async filter_lets_through (client) {
    const filterExpression = exp.gt(exp.binInt('born'), exp.int(1800))
    const record = await client.get(key('ada'), new Aerospike.ReadPolicy({ filterExpression }))
    return record.bins.born
  },
  async filter_keeps_out (client) {
    const filterExpression = exp.gt(exp.binInt('born'), exp.int(1900))
    return client.get(key('ada'), new Aerospike.ReadPolicy({ filterExpression }))
  },
  async generation (client) {
    const policy = new Aerospike.WritePolicy({ gen: Aerospike.policy.gen.EQ })
    return client.put(key('ada'), { a: 1 }, { gen: 99 }, policy)
  },
  async remove (client) {
    await client.remove(key('ada'))
    return client.exists(key('ada'))
  },
  async missing (client) {
    return client.get(key('ada'))
  },
  async batch_write (client) {
    const rows = [1, 2, 3].map((n) => ({
      type: batchType.BATCH_WRITE, key: key(n), ops: [operations.write('n', n)]
    }))
    return (await client.batchWrite(rows)).map((row) => row.status)
  },
  async batch_read (client) {
    const rows = [1, 2, 3, 4].map((n) => ({ key: key(n), readAllBins: true }))
    return (await client.batchRead(rows)).map((row) => [row.status, row.record?.bins?.n ?? null])
  },
  async batch_remove (client) {
    const results = await client.batchRemove([key(3), key(4)])
    return results.map((row) => row.status)
  },
  async scan (client) {
    const stream = client.scan('test', 'people').foreach()
    const found = []
    stream.on('data', (record) => found.push(record.bins.n))
    await new Promise((resolve, reject) => stream.on('end', resolve).on('error', reject))
    return found.sort()
  },
  async query (client) {
    const built = await client.createIntegerIndex(
      { ns: 'test', set: 'people', bin: 'n', index: 'people-n' })
    await built.wait(10)
    const query = client.query('test', 'people')
    query.where(filter.range('n', 2, 10))
    const found = (await query.results()).map((record) => record.bins.n)
    await client.indexRemove('test', 'people-n')
    return found
  },
  async udf (client) {
    await (await client.udfRegister(luaModule)).wait(10)
    return client.apply(key(1), { module: 'node_client', funcname: 'plus', args: ['n', 41] })
  },
  async truncate (client) {
    await client.truncate('test', 'people', 0)
    return client.exists(key(1))
  },
  async info (client) {
    return (await client.infoAny('edition')).trim()
  }
}

async function main () {
  const client = await Aerospike.connect({ hosts: `127.0.0.1:${port}` })
  const answers = {}
  for (const [name, step] of Object.entries(steps)) {
    try {
      answers[name] = await step(client)
    } catch (error) {
      answers[name] = { error: error.code ?? String(error) }
    }
  }
  client.close()
  console.log(JSON.stringify(answers))
}

main()
