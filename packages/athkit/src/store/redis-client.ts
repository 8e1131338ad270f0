/** What is needed of a client or cluster of `redis`, connected: an instance is taken as it is. */
export interface NodeRedis {
  evalSha(sha: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>
}

/** What is needed of a client or cluster of `ioredis`: an instance is taken as it is. */
export interface IoRedis {
  evalsha(sha: string, keys: number, ...values: string[]): Promise<unknown>
  eval(script: string, keys: number, ...values: string[]): Promise<unknown>
  readonly options: object
}

/** The few commands that are asked of Redis, whichever client it is. */
export interface Commands {
  /** Runs a script by its hash, and hands it over where the server does not have it. */
  script(script: Script, keys: readonly string[], values: readonly string[]): Promise<unknown>
  /** A command to each master that there is. */
  everywhere(command: readonly string[]): Promise<readonly unknown[]>
  /** Of every master, the keys that match, page by page. */
  scan(pattern: string): AsyncIterable<readonly string[]>
}

export interface Script {
  readonly text: string
  /** SHA-1, hexadecimal, as Redis names it. */
  readonly sha: string
}

export function commandsOf(client: NodeRedis | IoRedis): Commands {
  const { evalSha, evalText, nodes } = 'evalSha' in client ? ofNodeRedis(client) : ofIoRedis(client)
  return {
    async script({ sha, text }, keys, values) {
      try {
        return await evalSha(sha, keys, values)
      } catch (error) {
        if (!String((error as Error).message).startsWith('NOSCRIPT')) throw error
        return evalText(text, keys, values)
      }
    },
    everywhere: async (command) => Promise.all((await nodes()).map((send) => send(command))),
    async *scan(pattern) {
      for (const send of await nodes()) {
        let cursor = '0'
        do {
          const page = await send(['SCAN', cursor, 'MATCH', pattern, 'COUNT', '1000'])
          const [next, keys] = page as [string | number, string[]]
          cursor = String(next)
          yield keys
        } while (cursor !== '0')
      }
    },
  }
}

type Send = (command: readonly string[]) => Promise<unknown>

interface Ways {
  evalSha(sha: string, keys: readonly string[], values: readonly string[]): Promise<unknown>
  evalText(text: string, keys: readonly string[], values: readonly string[]): Promise<unknown>
  nodes(): Promise<readonly Send[]>
}

interface NodeRedisNode {
  sendCommand(command: string[]): Promise<unknown>
}

function ofNodeRedis(client: NodeRedis): Ways {
  const given = (keys: readonly string[], values: readonly string[]) => ({
    keys: [...keys],
    arguments: [...values],
  })
  const sender =
    (node: NodeRedisNode): Send =>
    (command) =>
      node.sendCommand([...command])
  return {
    evalSha: (sha, keys, values) => client.evalSha(sha, given(keys, values)),
    evalText: (text, keys, values) => client.eval(text, given(keys, values)),
    async nodes() {
      if (!('masters' in client)) return [sender(client as unknown as NodeRedisNode)]
      const cluster = client as unknown as {
        masters: object[]
        nodeClient(master: object): Promise<NodeRedisNode>
      }
      return (await Promise.all(cluster.masters.map((master) => cluster.nodeClient(master)))).map(sender)
    },
  }
}

interface IoRedisNode {
  call(command: string, ...values: string[]): Promise<unknown>
}

/**
 * @throws TypeError for a client that sends again what may have happened already: a transaction would run twice
 */
function ofIoRedis(client: IoRedis): Ways {
  const options = client.options as { autoResendUnfulfilledCommands?: boolean; redisOptions?: object }
  const resends = { ...options, ...options.redisOptions }.autoResendUnfulfilledCommands ?? true
  if (resends) {
    throw new TypeError(
      'redis: make the ioredis client with autoResendUnfulfilledCommands: false (of a Cluster, in redisOptions); ' +
        'else a transaction whose answer was lost runs twice',
    )
  }
  const sender =
    (node: IoRedisNode): Send =>
    ([name = '', ...values]) =>
      node.call(name, ...values)
  return {
    evalSha: (sha, keys, values) => client.evalsha(sha, keys.length, ...keys, ...values),
    evalText: (text, keys, values) => client.eval(text, keys.length, ...keys, ...values),
    async nodes() {
      if (!('nodes' in client)) return [sender(client as unknown as IoRedisNode)]
      const cluster = client as unknown as { nodes(role: 'master'): IoRedisNode[] }
      return cluster.nodes('master').map(sender)
    },
  }
}
